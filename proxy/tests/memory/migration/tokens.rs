//! Tokens that are refreshed while an MCP session lives (rule 3).

use super::{Mcp, World, host};
use crate::support::run;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A JWT of `sub`; each issue has other bytes.
fn jwt(sub: &str, issue: u32) -> String {
    let claims = format!(
        r#"{{"iss":"https://auth.example","sub":"{sub}","client_id":"c","exp":{issue},"jti":"{issue}"}}"#
    );
    let [head, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("Bearer {head}.{claims}.{issue}")
}

fn opaque(_: &str, issue: u32) -> String {
    format!("Bearer opaque-{issue}")
}

/// What was asked of both servers so far.
fn asked(world: &World) -> usize {
    world.servers.iter().map(|server| server.seen().len()).sum()
}

/// Asks with a credential; which server answered.
async fn ask(client: &mut Mcp, credential: Option<String>) -> String {
    client.credential = credential;
    let reply = client.call("tools/list").await;
    assert_eq!(
        reply.status,
        200,
        "{:?}: {}",
        client.credential,
        reply.text()
    );
    host(&reply)
}

#[test]
fn rule_3_a_refreshed_token_keeps_its_session_wherever_that_lives() {
    for token in [jwt, opaque] {
        run(async {
            let world = World::new();
            let mut client = world.client().await;
            client.credential = Some(token("ann", 1));
            client.initialize().await;
            assert_eq!(ask(&mut client, Some(token("ann", 2))).await, "2");
            // The move is made with the token of the request that makes it (rule 9).
            world.servers[0].kill();
            assert_eq!(ask(&mut client, Some(token("ann", 3))).await, "3");
            let moved = world.servers[1].seen();
            let wanted = Some(token("ann", 3));
            assert!(
                moved.iter().all(|seen| seen.credential == wanted),
                "{moved:?}"
            );
            assert_eq!(ask(&mut client, Some(token("ann", 4))).await, "3");
            assert_eq!(world.moved(), 1);
        });
    }
}

#[test]
fn rule_3_another_principal_gets_404_before_and_after_a_move() {
    run(async {
        let world = World::new();
        let mut client = world.client().await;
        client.credential = Some(jwt("ann", 1));
        client.initialize().await;
        for moves in 0..2 {
            let before = asked(&world);
            let strangers = [Some(jwt("bob", 1)), Some(opaque("", 1)), None];
            for stranger in strangers {
                client.credential = stranger;
                let reply = client.call("tools/list").await;
                assert_eq!(reply.status, 404, "{:?}", client.credential);
            }
            assert_eq!(asked(&world), before, "it reached a peer");
            world.servers[0].kill();
            assert_eq!(ask(&mut client, Some(jwt("ann", 2))).await, "3");
            assert_eq!(world.moved(), 1, "{moves}");
        }
    });
}

#[test]
fn rule_3_who_was_nobody_may_become_somebody() {
    run(async {
        for token in [jwt, opaque] {
            let world = World::new();
            let mut client = world.client().await;
            client.initialize().await;
            assert_eq!(ask(&mut client, Some(token("ann", 1))).await, "2");
            world.servers[0].kill();
            assert_eq!(ask(&mut client, Some(token("ann", 2))).await, "3");
        }
    });
}
