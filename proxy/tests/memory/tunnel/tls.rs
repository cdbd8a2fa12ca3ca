//! TLS on either side changes nothing of a tunnel.

use super::support::{SECOND, mirrored, over_tls, rest, switch};
use crate::support::{Authority, Broken, Dial, Plan, Script, Step, run, settle};
use proxy::session::End;
use proxy::settings::ListenerTls;
use proxy::tls::Terminator;

#[test]
fn a_tunnel_goes_through_tls_on_both_sides() {
    run(async {
        let authority = Authority::new();
        let mut plan = Plan::new(1);
        over_tls(&mut plan, &authority);
        let pair = authority.issue(&["a.example"]);
        plan.listener.tls = Some(Terminator::new(ListenerTls::new(vec![pair])).unwrap());
        let world = plan.start();
        let script = [Step::Mirror, Step::Write(b"bye".to_vec()), Step::Finish];
        world.peers[0].next(Script::switch(&script));
        let mut client = Dial::new(&authority, "a.example")
            .connect(&world)
            .await
            .unwrap();
        switch(&mut client, "/socket").await;
        let long = "long enough for more than one record ".repeat(4000);
        assert_eq!(mirrored(&mut client, "short").await, "short");
        assert_eq!(mirrored(&mut client, &long).await, long);
        client.wire.finish().await;
        assert_eq!(rest(&mut client).await, (b"bye".to_vec(), Broken::Ended));
        drop(client);
        settle(SECOND).await;
        assert_eq!(world.spy.only_logged("/socket").end, End::Complete);
        world.assert_idle();
    });
}
