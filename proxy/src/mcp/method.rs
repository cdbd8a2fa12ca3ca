//! The JSON-RPC methods of every revision, and which may run twice.

/// A JSON-RPC method of any revision.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(missing_docs, reason = "the variants are the names of the methods")]
pub enum Method {
    CompletionComplete,
    ElicitationCreate,
    Initialize,
    LoggingSetLevel,
    NotificationCancelled,
    NotificationElicitationComplete,
    NotificationInitialized,
    NotificationMessage,
    NotificationProgress,
    NotificationPromptsListChanged,
    NotificationResourcesListChanged,
    NotificationResourcesUpdated,
    NotificationRootsListChanged,
    NotificationSubscriptionsAcknowledged,
    NotificationTasksStatus,
    NotificationToolsListChanged,
    Ping,
    PromptsGet,
    PromptsList,
    ResourcesList,
    ResourcesRead,
    ResourcesSubscribe,
    ResourcesTemplatesList,
    ResourcesUnsubscribe,
    RootsList,
    SamplingCreateMessage,
    ServerDiscover,
    SubscriptionsListen,
    TasksCancel,
    TasksGet,
    TasksList,
    TasksResult,
    TasksUpdate,
    ToolsCall,
    ToolsList,
    /// A method this table does not have.
    Other,
}

/// Whether a message may be sent again after it may have reached a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Repeat {
    /// Yes: running it twice is the same as once.
    Always,
    /// Only if it was certainly not sent.
    Never,
    /// What the tool says of itself, or the operator of the tool.
    Tool,
}

/// Every method with its name on the wire.
const NAMES: [(Method, &str); 35] = [
    (Method::CompletionComplete, "completion/complete"),
    (Method::ElicitationCreate, "elicitation/create"),
    (Method::Initialize, "initialize"),
    (Method::LoggingSetLevel, "logging/setLevel"),
    (Method::NotificationCancelled, "notifications/cancelled"),
    (
        Method::NotificationElicitationComplete,
        "notifications/elicitation/complete",
    ),
    (Method::NotificationInitialized, "notifications/initialized"),
    (Method::NotificationMessage, "notifications/message"),
    (Method::NotificationProgress, "notifications/progress"),
    (
        Method::NotificationPromptsListChanged,
        "notifications/prompts/list_changed",
    ),
    (
        Method::NotificationResourcesListChanged,
        "notifications/resources/list_changed",
    ),
    (
        Method::NotificationResourcesUpdated,
        "notifications/resources/updated",
    ),
    (
        Method::NotificationRootsListChanged,
        "notifications/roots/list_changed",
    ),
    (
        Method::NotificationSubscriptionsAcknowledged,
        "notifications/subscriptions/acknowledged",
    ),
    (
        Method::NotificationTasksStatus,
        "notifications/tasks/status",
    ),
    (
        Method::NotificationToolsListChanged,
        "notifications/tools/list_changed",
    ),
    (Method::Ping, "ping"),
    (Method::PromptsGet, "prompts/get"),
    (Method::PromptsList, "prompts/list"),
    (Method::ResourcesList, "resources/list"),
    (Method::ResourcesRead, "resources/read"),
    (Method::ResourcesSubscribe, "resources/subscribe"),
    (Method::ResourcesTemplatesList, "resources/templates/list"),
    (Method::ResourcesUnsubscribe, "resources/unsubscribe"),
    (Method::RootsList, "roots/list"),
    (Method::SamplingCreateMessage, "sampling/createMessage"),
    (Method::ServerDiscover, "server/discover"),
    (Method::SubscriptionsListen, "subscriptions/listen"),
    (Method::TasksCancel, "tasks/cancel"),
    (Method::TasksGet, "tasks/get"),
    (Method::TasksList, "tasks/list"),
    (Method::TasksResult, "tasks/result"),
    (Method::TasksUpdate, "tasks/update"),
    (Method::ToolsCall, "tools/call"),
    (Method::ToolsList, "tools/list"),
];

impl Method {
    /// How many there are, `Other` included.
    pub const COUNT: usize = NAMES.len() + 1;

    /// All of them, in the order in which they are counted.
    pub fn all() -> impl Iterator<Item = Self> {
        let known = NAMES.iter().map(|(method, _)| *method);
        known.chain([Self::Other])
    }

    /// The method of this name; names are case-sensitive.
    pub fn parse(name: &[u8]) -> Self {
        // Thirty lengths and a few short comparisons: cheaper than hashing the name.
        NAMES
            .iter()
            .find(|(_, known)| known.as_bytes() == name)
            .map_or(Self::Other, |(method, _)| *method)
    }

    /// The name on the wire; `other` for a method this table does not have, so that it is a
    /// label of bounded variety.
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(method, _)| *method == self)
            .map_or("other", |(_, name)| name)
    }

    /// Whether a message of this method may be sent again after it may have reached a peer.
    pub fn repeat_safe(self) -> Repeat {
        match self {
            // Reads.
            Self::CompletionComplete
            | Self::Ping
            | Self::PromptsGet
            | Self::PromptsList
            | Self::ResourcesList
            | Self::ResourcesRead
            | Self::ResourcesTemplatesList
            | Self::ServerDiscover
            | Self::SubscriptionsListen
            | Self::TasksGet
            | Self::TasksList
            | Self::TasksResult
            | Self::ToolsList
            // Sets a state that is the same after the second time, on the same MCP session or task.
            | Self::LoggingSetLevel
            | Self::ResourcesSubscribe
            | Self::ResourcesUnsubscribe
            | Self::TasksCancel
            // Says what is so, however often: servers answer the second with 202 like the first.
            | Self::NotificationInitialized
            | Self::NotificationRootsListChanged
            // Makes a session each time; that of a peer which is lost is lost with it, and one that
            // nobody knows the id of costs the peer what any client costs that does not come back.
            | Self::Initialize => Repeat::Always,
            Self::ToolsCall => Repeat::Tool,
            // Other notifications are never confirmed, so nothing is known of their first delivery;
            // `tasks/update` hands over input once; what a server asks of a client does not come
            // this way; the rest is unknown.
            Self::ElicitationCreate
            | Self::NotificationCancelled
            | Self::NotificationElicitationComplete
            | Self::NotificationMessage
            | Self::NotificationProgress
            | Self::NotificationPromptsListChanged
            | Self::NotificationResourcesListChanged
            | Self::NotificationResourcesUpdated
            | Self::NotificationSubscriptionsAcknowledged
            | Self::NotificationTasksStatus
            | Self::NotificationToolsListChanged
            | Self::Other
            | Self::RootsList
            | Self::SamplingCreateMessage
            | Self::TasksUpdate => Repeat::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again() {
        for (method, name) in NAMES {
            assert_eq!(Method::parse(name.as_bytes()), method, "{name}");
            assert_eq!(method.name(), name);
        }
    }

    #[test]
    fn near_misses_are_other_methods() {
        for name in [
            "",
            "Ping",
            "ping ",
            "tools/call/",
            "tools",
            "notifications/x",
            "\u{fffd}",
        ] {
            assert_eq!(Method::parse(name.as_bytes()), Method::Other, "{name}");
        }
        assert_eq!(Method::Other.name(), "other");
    }

    #[test]
    fn only_reads_settings_and_what_begins_may_run_twice() {
        for (method, _) in NAMES {
            let expected = match method.name() {
                "tools/call" => Repeat::Tool,
                "completion/complete"
                | "ping"
                | "prompts/get"
                | "prompts/list"
                | "resources/list"
                | "resources/read"
                | "resources/templates/list"
                | "server/discover"
                | "subscriptions/listen"
                | "tasks/get"
                | "tasks/list"
                | "tasks/result"
                | "tools/list"
                | "logging/setLevel"
                | "resources/subscribe"
                | "resources/unsubscribe"
                | "tasks/cancel"
                | "initialize"
                | "notifications/initialized"
                | "notifications/roots/list_changed" => Repeat::Always,
                _ => Repeat::Never,
            };
            assert_eq!(method.repeat_safe(), expected, "{}", method.name());
        }
        assert_eq!(Method::Other.repeat_safe(), Repeat::Never);
    }
}
