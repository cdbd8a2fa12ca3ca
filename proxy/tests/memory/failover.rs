//! What moves to another peer, and what never does.

use crate::support::{Ask, Client, Script, Step, World, run};
use lb::Delivery;

#[test]
fn a_request_reaches_its_peer() {
    run(async {
        let world = World::new(2);
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/one")).await.unwrap();
        assert_eq!((reply.status, reply.peer()), (200, Some("0")));
        assert_eq!(reply.text(), "hello");
    });
}

#[test]
fn what_reached_a_peer_is_not_said_to_be_unsent() {
    run(async {
        let world = World::new(2);
        world.peers[0].next(Script::then(Step::Reset));
        world.network.kill(world.peers[1].ip());
        let mut client = Client::new(&world).await;
        let reply = client.ask(&Ask::get("/lost")).await.unwrap();
        assert_eq!(reply.status, 502);
        assert_eq!(reply.proxy_error(), Some("connection_terminated"));
        assert_eq!(world.spy.delivery("/lost"), Some(Delivery::Unknown));
        assert_eq!(world.ledger.only("/lost").peer, 0);
    });
}
