//! Shutting down: requests finish, streams have their time, nothing runs on.

use crate::support::{Plan, run, settle};
use proxy::settings::Probe;
use std::time::Duration;

#[test]
fn nothing_is_probed_after_the_end() {
    run(async {
        let mut plan = Plan::new(1);
        plan.group.health_check.probe = Some(Probe::Tcp);
        let world = plan.start();
        settle(Duration::from_secs(10)).await;
        let before = world.network.connects(world.peers[0].ip());
        assert!(before > 0);
        world.control.shutdown();
        world.serving.await.unwrap().unwrap();
        let ended = world.network.connects(world.peers[0].ip());
        settle(Duration::from_secs(60)).await;
        assert_eq!(world.network.connects(world.peers[0].ip()), ended);
    });
}
