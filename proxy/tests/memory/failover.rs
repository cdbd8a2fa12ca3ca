//! What moves to another peer, and what never does.

use crate::support::{Ask, Client, World, run};

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
