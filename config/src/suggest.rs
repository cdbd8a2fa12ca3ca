//! What somebody meant who wrote something else.

/// The word of `known` that `written` most likely stands for.
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    // One slip in three letters; a word of two letters is never a slip of another.
    let allowed = (written.chars().count() / 3).min(3);
    known
        .iter()
        .map(|word| (strsim::osa_distance(&written.to_lowercase(), word), *word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The key of `known` that `written` is in another proxy, or in an older or plainer spelling.
pub(crate) fn alias<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    let plain = written.replace('_', "");
    ALIASES
        .iter()
        .filter(|(_, others)| others.contains(&written.as_str()))
        .find_map(|(key, _)| known.iter().find(|word| *word == key))
        .or_else(|| known.iter().find(|word| word.replace('_', "") == plain))
        .copied()
}

/// Our key, and what Envoy, Traefik, `HAProxy`, nginx, Caddy and agentgateway call it.
const ALIASES: &[(&str, &[&str])] = &[
    ("access_log", &["accesslog", "access_logs"]),
    ("admin", &["api", "stats", "management"]),
    (
        "attempts",
        &[
            "retries",
            "num_retries",
            "max_retries",
            "max_attempts",
            "count",
        ],
    ),
    ("backoff", &["base_backoff", "retry_back_off"]),
    ("budget", &["retry_budget"]),
    (
        "circuit_breaker",
        &["breaker", "circuit_breakers", "outlier_detection"],
    ),
    ("connect", &["connect_timeout", "dial_timeout"]),
    ("failback", &["fallback", "failover"]),
    (
        "failure_rate",
        &["failure_rate_percent", "error_rate", "failure_percentage"],
    ),
    (
        "failure_threshold",
        &[
            "max_fails",
            "max_failures",
            "consecutive_failures",
            "threshold",
        ],
    ),
    ("fallback", &["fallbacks", "failover"]),
    (
        "first_byte",
        &[
            "read",
            "response",
            "response_header",
            "header",
            "read_timeout",
        ],
    ),
    (
        "group",
        &["cluster", "backend", "upstream", "pool", "service", "to"],
    ),
    (
        "groups",
        &[
            "clusters",
            "upstreams",
            "backends",
            "pools",
            "services",
            "members",
            "servers",
        ],
    ),
    (
        "half_open_probes",
        &["half_open_requests", "half_open_max_calls"],
    ),
    (
        "health_check",
        &[
            "health_checks",
            "healthcheck",
            "healthchecks",
            "probe",
            "check",
        ],
    ),
    ("healthy_threshold", &["rise", "success_threshold"]),
    ("host", &["host_header", "hostname"]),
    ("hosts", &["allowed_hosts", "server_name", "server_names"]),
    ("interval", &["inter", "period", "every"]),
    ("keepalive", &["keep_alive", "heartbeat"]),
    ("listen", &["address", "addr", "bind", "port"]),
    (
        "listeners",
        &[
            "listen",
            "listener",
            "bind",
            "binds",
            "entrypoints",
            "entry_points",
            "frontends",
        ],
    ),
    ("match", &["matches", "when", "rule"]),
    ("name", &["id"]),
    (
        "open_for",
        &[
            "fail_timeout",
            "fail_duration",
            "base_ejection_time",
            "open_duration",
            "cooldown",
        ],
    ),
    ("path", &["prefix", "uri", "location", "path_prefix"]),
    (
        "peers",
        &[
            "members",
            "servers",
            "backends",
            "upstreams",
            "endpoints",
            "targets",
            "hosts",
            "nodes",
        ],
    ),
    ("per_try", &["per_try_timeout", "try_timeout"]),
    ("priority", &["tier", "level", "order"]),
    ("probe", &["type", "kind", "protocol"]),
    ("region", &["zone", "locality", "location"]),
    ("retry", &["retries", "retry_policy", "redispatch"]),
    ("routes", &["routers", "rules", "locations"]),
    (
        "strategy",
        &[
            "lb_policy",
            "load_balancing",
            "load_balancer",
            "balance",
            "algorithm",
            "policy",
            "lb",
        ],
    ),
    (
        "threads",
        &[
            "workers",
            "worker_processes",
            "worker_threads",
            "concurrency",
        ],
    ),
    ("timeouts", &["timeout"]),
    ("unhealthy_threshold", &["fall", "failure_threshold"]),
    (
        "url",
        &[
            "address", "addr", "server", "endpoint", "target", "uri", "dial", "href",
        ],
    ),
    ("weight", &["weights", "share"]),
    ("when", &["on", "retry_on", "conditions", "codes"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_finds_none() {
        let known = ["name", "peers", "strategy", "weight"];
        for (written, expected) in [
            ("wieght", Some("weight")),
            ("peer", Some("peers")),
            ("stratgy", Some("strategy")),
            ("Strategy", Some("strategy")),
            ("banana", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, &known), expected, "{written}");
        }
    }

    #[test]
    fn a_foreign_word_finds_ours_only_where_ours_is_a_key() {
        assert_eq!(alias("members", &["peers", "name"]), Some("peers"));
        assert_eq!(alias("members", &["groups", "routes"]), Some("groups"));
        assert_eq!(alias("servers", &["name"]), None);
        assert_eq!(alias("per_try_timeout", &["per_try"]), Some("per_try"));
        assert_eq!(
            alias("health-check", &["health_check"]),
            Some("health_check")
        );
        assert_eq!(alias("minHealthy", &["min_healthy"]), Some("min_healthy"));
    }
}
