//! New certificates without dropping a connection.

use crate::support::{Ask, Authority, Dial, Plan, run};
use proxy::settings::{ClientAuth, ListenerTls};
use proxy::tls::{KeyPair, Pem, Place, Terminator};
use rustls::HandshakeKind;
use std::path::Path;
use std::sync::Arc;

fn write(folder: &Path, pair: &KeyPair) -> KeyPair {
    for (name, pem) in [("cert.pem", &pair.cert), ("key.pem", &pair.key)] {
        let Pem::Text(text) = pem else {
            panic!("not in memory");
        };
        std::fs::write(folder.join(name), &**text).unwrap();
    }
    KeyPair {
        cert: Pem::File(folder.join("cert.pem")),
        key: Pem::File(folder.join("key.pem")),
    }
}

#[test]
fn a_reload_is_for_new_handshakes_and_a_bad_one_changes_nothing() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let pair = write(folder.path(), &authority.issue(&["a.example"]));
        let mut plan = Plan::new(1);
        let terminator = Terminator::new(ListenerTls::new(vec![pair])).unwrap();
        plan.listener.tls = Some(Arc::clone(&terminator));
        let world = plan.start();
        let dial = Dial::new(&authority, "a.example");
        let mut old = dial.connect(&world).await.unwrap();
        old.ask(&Ask::get("/")).await.unwrap();
        let names = |index: usize| world.metrics.tls.certificates()[index].1.names.clone();
        assert_eq!(names(0), ["a.example"]);

        // A key that belongs to another certificate, then no certificate at all.
        let other = authority.issue(&["first.example", "a.example"]);
        let Pem::Text(key) = &other.key else {
            panic!("not in memory");
        };
        std::fs::write(folder.path().join("key.pem"), &**key).unwrap();
        let flaws = terminator.reload().unwrap_err();
        assert_eq!(flaws.0[0].place, Place::Key(0), "{flaws}");
        std::fs::write(folder.path().join("cert.pem"), "nothing").unwrap();
        let flaws = terminator.reload().unwrap_err();
        assert_eq!(flaws.0[0].place, Place::Cert(0), "{flaws}");
        std::fs::remove_file(folder.path().join("cert.pem")).unwrap();
        terminator.reload().unwrap_err();
        let client = Dial::new(&authority, "a.example").connect(&world).await;
        assert_eq!(client.unwrap().handshake().0, "a.example");

        write(folder.path(), &other);
        terminator.reload().unwrap();
        let client = Dial::new(&authority, "a.example").connect(&world).await;
        assert_eq!(client.unwrap().handshake().0, "first.example");
        assert_eq!(names(0), ["first.example", "a.example"]);
        // Open connections go on, and tickets are still good.
        assert_eq!(old.ask(&Ask::get("/")).await.unwrap().status, 200);
        let client = dial.connect(&world).await.unwrap();
        assert_eq!(client.handshake().1, HandshakeKind::Resumed);
    });
}

#[test]
fn a_session_of_other_authorities_is_not_resumed() {
    run(async {
        let (authority, newer) = (Authority::new(), Authority::new());
        let settings = |clients: &Authority| {
            let mut tls = ListenerTls::new(vec![authority.issue(&["a.example"])]);
            tls.client_auth = ClientAuth::Optional(clients.pem());
            tls
        };
        let mut plan = Plan::new(1);
        let terminator = Terminator::new(settings(&authority)).unwrap();
        plan.listener.tls = Some(Arc::clone(&terminator));
        let world = plan.start();
        let dial = Dial::new(&authority, "a.example");
        dial.connect(&world)
            .await
            .unwrap()
            .ask(&Ask::get("/"))
            .await
            .unwrap();
        terminator.adopt(&Terminator::new(settings(&newer)).unwrap());
        let client = dial.connect(&world).await.unwrap();
        assert_eq!(client.handshake().1, HandshakeKind::Full);
    });
}
