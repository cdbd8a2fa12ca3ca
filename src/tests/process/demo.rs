//! The verb `demo`.

use super::program::output;

#[test]
fn no_call_fails_while_a_server_is_killed() {
    let output = output(&["demo", "--for", "4s", "--plain"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for event in [
        "eu is killed",
        "started again: eu",
        " 0 failed, failed over 1x",
    ] {
        assert!(text.contains(event), "{event} is not in {text}");
    }
}
