//! Bodies that stream: both ways at once, early answers, events.

use crate::support::{Answer, Ask, Client, Plan, Script, Step, World, run};

#[test]
fn an_answer_before_the_end_of_the_upload_says_that_the_connection_ends() {
    run(async {
        let world = World::new(1);
        let early = Answer::new(413, "too much");
        world.peers[0].next(Script(vec![Step::Some(10), Step::Answer(early)]));
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/big", vec![b'x'; 1 << 20]);
        client.send(&ask.head()).await;
        client.send(&[b'x'; 1000]).await;
        let reply = client.wire.reply("POST").await.unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (413, "too much"));
        assert!(reply.closes(), "{:?}", reply.head);
        assert!(client.is_closed().await);
    });
}

#[test]
fn an_answer_of_the_proxy_s_own_to_an_unread_upload_says_that_the_connection_ends() {
    run(async {
        let world = Plan::new(1).start();
        world.network.kill(world.peers[0].ip());
        let mut client = Client::new(&world).await;
        let ask = Ask::post("/unread", vec![b'x'; 20_000]);
        let reply = client.ask(&ask).await.unwrap();
        assert_eq!(reply.status, 502);
        assert!(reply.closes(), "{:?}", reply.head);
    });
}
