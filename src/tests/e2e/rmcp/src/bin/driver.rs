//! The client of rmcp, driven by the harness: commands come on standard input, a JSON object per line; see
//! python/driver.py. It never makes a session anew by itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::model::*;
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError,
    StreamableHttpPostResponse,
};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient, ServiceError};
use serde_json::{Value, from_str, from_value, json, to_value};
use sse_stream::Sse;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::sync::RwLock;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Headers = HashMap<HeaderName, HeaderValue>;
type Result<T> = std::result::Result<T, StreamableHttpError<reqwest::Error>>;

fn say(line: &Value) {
    println!("{line}");
}

fn heard(session: &str, what: &str) {
    say(&json!({"session": session, "heard": what}));
}

/// What the SDK calls back.
#[derive(Clone)]
struct Listener {
    session: String,
    /// The command whose call is under way.
    call: Arc<AtomicU64>,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new(self.session.clone(), "0"),
        )
    }

    async fn on_progress(&self, _: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let call = self.call.load(Ordering::Relaxed);
        heard(&self.session, &format!("progress of {call}"));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        heard(&self.session, "notifications/tools/list_changed");
    }
}

/// The SDK's own HTTP client, with the token of the moment.
#[derive(Clone)]
struct Signed {
    http: reqwest::Client,
    token: Arc<Mutex<Option<String>>>,
}

impl Signed {
    fn token(&self) -> Option<String> {
        self.token.lock().expect("no panic holds it").clone()
    }
}

impl StreamableHttpClient for Signed {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse> {
        self.http
            .post_message(uri, message, session, self.token(), headers)
            .await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<()> {
        self.http
            .delete_session(uri, session, self.token(), headers)
            .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event_id: Option<String>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, std::result::Result<Sse, SseError>>> {
        self.http
            .get_stream(uri, session, last_event_id, self.token(), headers)
            .await
    }
}

/// One session.
struct Session {
    client: RunningService<RoleClient, Listener>,
    token: Arc<Mutex<Option<String>>>,
    call: Arc<AtomicU64>,
}

type Sessions = Arc<RwLock<HashMap<String, Arc<Session>>>>;

async fn connect(command: &Value, name: &str) -> std::result::Result<Session, Failure> {
    let token = Arc::new(Mutex::new(command["token"].as_str().map(str::to_owned)));
    let call = Arc::new(AtomicU64::default());
    let lifecycle = if command["era"] == "modern" {
        ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        }
    } else {
        ClientLifecycleMode::Initialize
    };
    let mut config =
        StreamableHttpClientTransportConfig::with_uri(command["url"].as_str().unwrap_or_default());
    config.reinit_on_expired_session = false;
    let signed = Signed {
        // As the SDK makes it.
        http: reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .build()?,
        token: Arc::clone(&token),
    };
    let transport = StreamableHttpClientTransport::with_client(signed, config);
    let listener = Listener {
        session: name.to_owned(),
        call: Arc::clone(&call),
    };
    let client = listener.serve_with_lifecycle(transport, lifecycle).await?;
    Ok(Session {
        client,
        token,
        call,
    })
}

async fn listen(session: Arc<Session>, name: String) -> std::result::Result<Value, Failure> {
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscription = session.client.listen(filter).await?;
    tokio::spawn(async move {
        loop {
            match subscription.next().await {
                Ok(Some(_)) => heard(&name, "notifications/tools/list_changed"),
                end => return heard(&name, &format!("the end of listening: {end:?}")),
            }
        }
    });
    Ok(json!({"done": true}))
}

async fn perform(sessions: &Sessions, command: &Value) -> std::result::Result<Value, Failure> {
    let name = command["session"].as_str().unwrap_or_default();
    if command["op"] == "connect" {
        let session = Arc::new(connect(command, name).await?);
        sessions.write().await.insert(name.to_owned(), session);
        return Ok(json!({"done": true}));
    }
    if command["op"] == "close" {
        let session = sessions
            .write()
            .await
            .remove(name)
            .ok_or("no such session")?;
        let session = Arc::try_unwrap(session).map_err(|_| "the session is in use")?;
        session.client.cancel().await?;
        return Ok(json!({"done": true}));
    }
    let session = sessions
        .read()
        .await
        .get(name)
        .cloned()
        .ok_or("no such session")?;
    match command["op"].as_str().unwrap_or_default() {
        "token" => {
            *session.token.lock().expect("no panic holds it") =
                command["token"].as_str().map(str::to_owned);
            Ok(json!({"done": true}))
        }
        "tools" => Ok(json!({"tools": to_value(session.client.list_tools(None).await?)?["tools"]})),
        "listen" => listen(session, name.to_owned()).await,
        _ => {
            session.call.store(
                command["id"].as_u64().unwrap_or_default(),
                Ordering::Relaxed,
            );
            let params = json!({"name": command["tool"], "arguments": command["arguments"]});
            let result = to_value(session.client.call_tool(from_value(params)?).await?)?;
            Ok(if result["isError"] == true {
                json!({"failed": result.to_string()})
            } else {
                json!({"text": result["content"][0]["text"]})
            })
        }
    }
}

/// What the server has answered, or what else went wrong.
fn failure(error: &Failure) -> Value {
    match error.downcast_ref() {
        Some(ServiceError::McpError(error)) => json!({"error": error}),
        _ => json!({"failed": format!("{error:?}")}),
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Failure> {
    // What reqwest asks for even where it speaks no TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sessions = Sessions::default();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let (command, sessions): (Value, _) = (from_str(&line)?, Arc::clone(&sessions));
        tokio::spawn(async move {
            let said = perform(&sessions, &command).await;
            let mut said = said.unwrap_or_else(|error| failure(&error));
            said["id"] = command["id"].clone();
            say(&said);
        });
    }
    Ok(())
}
