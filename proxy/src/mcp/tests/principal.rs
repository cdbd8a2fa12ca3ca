use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use proptest::prelude::*;

use crate::mcp::Principal;
use crate::settings::SessionBinding;

fn jwt(claims: &str) -> String {
    format!("Bearer e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
}

fn auto(values: &[&str]) -> Option<Principal> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    Principal::of(&SessionBinding::Auto, &headers)
}

#[test]
fn a_refreshed_token_is_the_same_principal() {
    let first = jwt(r#"{"iss":"i","sub":"s","client_id":"c","exp":1,"jti":"1"}"#);
    let second = jwt(r#"{"exp":2,"client_id":"c","sub":"s","iss":"i","azp":"x"}"#);
    assert!(auto(&[&first]).is_some());
    assert_eq!(auto(&[&first]), auto(&[&second]));
    let lower = first.replacen("Bearer", "bearer", 1);
    assert_eq!(auto(&[&first]), auto(&[&lower]));
    let by_azp = jwt(r#"{"iss":"i","sub":"s","azp":"c"}"#);
    assert_eq!(auto(&[&first]), auto(&[&by_azp]));
}

#[test]
fn each_claim_makes_another_principal() {
    let all = [
        r#"{"iss":"i","sub":"s","client_id":"c"}"#,
        r#"{"iss":"j","sub":"s","client_id":"c"}"#,
        r#"{"iss":"i","sub":"t","client_id":"c"}"#,
        r#"{"iss":"i","sub":"s","client_id":"d"}"#,
        r#"{"iss":"i","sub":"s"}"#,
        r#"{"iss":"i","client_id":"s"}"#,
        r#"{"iss":"i","sub":"s","client_id":""}"#,
        r#"{"iss":"is","sub":"","client_id":"c"}"#,
    ];
    let principals = all.map(|claims| auto(&[&jwt(claims)]).unwrap());
    for (at, one) in principals.iter().enumerate() {
        assert!(!principals[at + 1..].contains(one), "{}", all[at]);
    }
}

#[test]
fn opaque_tokens_bind_to_nobody() {
    let long = jwt(&format!(
        r#"{{"iss":"i","sub":"s","x":"{}"}}"#,
        "x".repeat(8192)
    ));
    let good = jwt(r#"{"iss":"i","sub":"s"}"#);
    for values in [
        &[][..],
        &["Bearer opaque"],
        &["Bearer a.b"],
        &["Bearer a.b.c"],
        &["Bearer a.e30.c"],
        &["Bearer a.b.c.d.e"],
        &[&format!("{good}.d.e")],
        &["Basic dTpw"],
        &["Bearer"],
        &[&long],
        &[&jwt(r#"{"iss":"i"}"#)],
        &[&jwt(r#"{"sub":"s"}"#)],
        &[&jwt(r#"{"iss":"i","sub":7}"#)],
        &[&jwt(r#"{"iss":"i","sub":"s","sub":"t"}"#)],
        &[&good, &good],
    ] {
        assert_eq!(auto(values), None, "{values:?}");
    }
}

#[test]
fn a_header_binds_by_its_value() {
    let name = HeaderName::from_static("x-user");
    let binding = SessionBinding::Header(name.clone());
    let of = |value: &'static str| {
        let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))]);
        Principal::of(&binding, &headers)
    };
    assert_eq!(Principal::of(&binding, &HeaderMap::new()), None);
    assert!(of("anna").is_some());
    assert_eq!(of("anna"), of("anna"));
    assert_ne!(of("anna"), of("bert"));
}

#[test]
fn without_binding_nobody_is_bound() {
    let value = HeaderValue::from_str(&jwt(r#"{"iss":"i","sub":"s"}"#)).unwrap();
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    assert_eq!(Principal::of(&SessionBinding::None, &headers), None);
}

proptest! {
    #[test]
    fn no_credential_breaks_it(text in "(Bearer )?[ -~]{0,80}", claims in "[ -~]{0,80}") {
        auto(&[&text]);
        auto(&[&jwt(&claims)]);
    }
}
