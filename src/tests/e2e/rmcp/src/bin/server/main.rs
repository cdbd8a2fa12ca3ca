//! An MCP server on rmcp, both eras on one URL, with a plain `/blob` and the counts of both beside it.

#![expect(deprecated, reason = "the legacy era has what the modern one removed")]

mod holds;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsConfig;
use rmcp::model::*;
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json};
use tokio::sync::watch;

use holds::Holds;

#[derive(Clone)]
struct Fixture {
    holds: Holds,
    changes: watch::Sender<u64>,
    /// Taken before the request is looked at, so that no change after the acknowledgement is missed.
    heard: watch::Receiver<u64>,
}

fn shaped<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// A result of the modern era says that it is complete; the SDK takes the word out for the legacy era.
fn complete<T: DeserializeOwned>(mut value: Value) -> Result<T, ErrorData> {
    value["resultType"] = json!("complete");
    shaped(value)
}

fn text(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text.into())]).into()
}

fn tool(name: &str, description: &str, arguments: Value, read_only: bool) -> Value {
    let required: Vec<_> = arguments
        .as_object()
        .into_iter()
        .flat_map(|each| each.keys())
        .collect();
    json!({
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": arguments, "required": required},
        "annotations": {"readOnlyHint": read_only, "idempotentHint": false},
    })
}

async fn progress(context: &RequestContext<RoleServer>, done: u32, total: u32, message: &str) {
    if let Some(token) = context.meta.get_progress_token() {
        let progress = ProgressNotificationParam::new(token, done.into())
            .with_total(total.into())
            .with_message(message);
        let _ = context.peer.notify_progress(progress).await;
    }
}

impl Fixture {
    /// Asks the client for a sample and for input: by requests of ours, or in the modern era by the result.
    async fn ask(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let sampling = json!({"messages": [{"role": "user", "content": {"type": "text", "text": "what now?"}}], "maxTokens": 10});
        let elicitation = json!({
            "mode": "form",
            "message": "which colour?",
            "requestedSchema": {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]},
        });
        if context.meta.protocol_version().is_some() {
            let Some(answers) = request.input_responses else {
                let mut asked = InputRequests::new();
                let sample = CreateMessageRequest::new(shaped(sampling)?);
                asked.insert("sample".into(), InputRequest::CreateMessage(sample));
                let colour = ElicitRequest::new(shaped(elicitation)?);
                asked.insert("colour".into(), InputRequest::Elicitation(colour));
                return Ok(InputRequiredResult::new(Some(asked), Some("asked once".into())).into());
            };
            let state = request.request_state.unwrap_or_default();
            return Ok(text(format!(
                "{} {} {state}",
                answers["sample"]["content"], answers["colour"]["content"]
            )));
        }
        let failed = |error: rmcp::ServiceError| ErrorData::internal_error(error.to_string(), None);
        let sample = context
            .peer
            .create_message(shaped(sampling)?)
            .await
            .map_err(failed)?;
        let colour = context
            .peer
            .create_elicitation(shaped(elicitation)?)
            .await
            .map_err(failed)?;
        Ok(text(format!("{} {}", json!(sample), json!(colour))))
    }

    async fn announce(&self, context: &RequestContext<RoleServer>) {
        self.changes.send_modify(|count| *count += 1);
        if context.meta.protocol_version().is_none() {
            let peer = context.peer.clone();
            // Outside of the request, so that it goes out on the GET stream.
            let announced = tokio::spawn(async move {
                let _ = peer.notify_tool_list_changed().await;
                let _ = peer.notify_resource_list_changed().await;
                let _ = peer.notify_prompt_list_changed().await;
                let _ = peer
                    .notify_resource_updated(ResourceUpdatedNotificationParam::new("memo://note"))
                    .await;
            });
            let _ = announced.await;
        }
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = json!({
            "tools": {"listChanged": true},
            "prompts": {"listChanged": true},
            "resources": {"listChanged": true, "subscribe": true},
            "logging": {},
            "completions": {},
        });
        ServerConfig::new(from_value(capabilities).expect("written above"))
            .with_server_info(Implementation::new("fixture", "3"))
            .with_instructions("A server for tests.")
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        complete(json!({"tools": [
            tool("echo", "Say it again.", json!({"text": {"type": "string"}}), true),
            tool("sleep", "Answer later.", json!({"milliseconds": {"type": "integer"}}), true),
            tool("count", "Write the call into the ledger.", json!({"call": {"type": "string"}}), false),
            tool("look", "The same, but said to be safe to repeat.", json!({"call": {"type": "string"}}), true),
            tool("steps", "Report progress n times.", json!({"n": {"type": "integer"}}), true),
            tool("ask", "Ask the client.", json!({}), false),
            tool("announce", "Send every kind of change notification.", json!({}), false),
            tool("fail", "Answer with an error of the tool.", json!({}), true),
        ]}))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let argument = |name: &str| {
            let arguments = request.arguments.as_ref();
            let missing = || ErrorData::invalid_params(format!("{name} is missing"), None);
            arguments
                .and_then(|each| each.get(name))
                .cloned()
                .ok_or_else(missing)
        };
        match &*request.name {
            "echo" => Ok(text(argument("text")?.as_str().unwrap_or_default())),
            "sleep" => {
                let milliseconds = argument("milliseconds")?.as_u64().unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                Ok(text(format!("slept {milliseconds}")))
            }
            "count" | "look" => {
                let call = argument("call")?.as_str().unwrap_or_default().to_owned();
                let done = self
                    .holds
                    .perform(call, progress(&context, 1, 2, "executed"));
                let done = done
                    .await
                    .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
                // Between the deed and its answer is where a kill makes a repetition visible.
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(text(done))
            }
            "steps" => {
                let n = argument("n")?.as_u64().unwrap_or_default() as u32;
                for step in 1..=n {
                    progress(&context, step, n, &format!("step {step}")).await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(text(format!("{n} steps")))
            }
            "ask" => self.ask(request, context).await,
            "announce" => {
                self.announce(&context).await;
                Ok(text("announced"))
            }
            "fail" => Ok(CallToolResult::error(vec![ContentBlock::text("as asked")]).into()),
            other => Err(ErrorData::invalid_params(format!("no tool {other}"), None)),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        complete(
            json!({"resources": [{"uri": "memo://note", "name": "note", "mimeType": "text/plain"}]}),
        )
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        complete(
            json!({"resourceTemplates": [{"uriTemplate": "memo://notes/{name}", "name": "notes"}]}),
        )
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let text = match request.uri.strip_prefix("memo://") {
            Some("note") => "remember the milk".to_owned(),
            Some("kilobyte") => "k".repeat(1024),
            Some(other) if other.starts_with("notes/") => {
                format!("note {}", &other["notes/".len()..])
            }
            _ => return Err(ErrorData::resource_not_found("no such memo", None)),
        };
        let contents =
            json!({"contents": [{"uri": request.uri, "mimeType": "text/plain", "text": text}]});
        Ok(complete::<ReadResourceResult>(contents)?.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        complete(
            json!({"prompts": [{"name": "greet", "arguments": [{"name": "name", "required": true}]}]}),
        )
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let name = request
            .arguments
            .and_then(|mut each| each.remove("name"))
            .unwrap_or_default();
        let message = json!({"role": "user", "content": {"type": "text", "text": format!("Say hello to {name}.")}});
        Ok(complete::<GetPromptResult>(json!({"messages": [message]}))?.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let mut names = vec!["ada", "alan", "grace"];
        names.retain(|name| name.starts_with(&request.argument.value));
        complete(json!({"completion": {"values": names}}))
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.heard.clone();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                change = changes.changed() => if change.is_err() { return Ok(()) },
            }
            let sink = context.sink();
            let _ = sink.notify_tool_list_changed().await;
            let _ = sink.notify_resource_list_changed().await;
            let _ = sink.notify_prompt_list_changed().await;
            let _ = sink.notify_resource_updated("memo://note").await;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut holds, mut json_answers) = (Holds::default(), false);
    holds.ledger = "/dev/null".into();
    let (mut cert, mut key) = (None, None);
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        match &*name {
            "--port" => holds.port = value.parse()?,
            "--ledger" => holds.ledger = value.into(),
            "--holds" => holds.folder = Some(Arc::new(value.into())),
            "--transport" => json_answers = value == "json-answers",
            "--cert" => cert = Some(value),
            "--key" => key = Some(value),
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    let (changes, port) = (watch::Sender::new(0), holds.port);
    let (around, counted) = (holds.clone(), holds.clone());
    let fixture = move || {
        let changes = changes.clone();
        Ok(Fixture {
            holds: holds.clone(),
            heard: changes.subscribe(),
            changes,
        })
    };
    let config = StreamableHttpServerConfig::default().with_json_response(json_answers);
    let mcp = StreamableHttpService::new(fixture, Arc::new(LocalSessionManager::default()), config);
    let served = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&served);
    let app = axum::Router::new()
        .nest_service("/mcp", mcp)
        .layer(from_fn(move |request: Request, next: Next| {
            around.clone().around(request, next)
        }))
        .route("/openings", get(move || async move { counted.counts() }))
        .route("/blob", get(|| async { "b".repeat(1024) }))
        .layer(from_fn(move |request: Request, next: Next| {
            count.fetch_add(1, Ordering::Relaxed);
            next.run(request)
        }))
        .route(
            "/served",
            get(move || async move { served.load(Ordering::Relaxed).to_string() }),
        );
    // Both serve HTTP/1.1 and HTTP/2: by what TLS settles on, or in the clear by the first bytes.
    if let (Some(cert), Some(key)) = (cert, key) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = RustlsConfig::from_pem_file(cert, key).await?;
        let server = axum_server::bind_rustls(SocketAddr::from(([127, 0, 0, 1], port)), tls);
        let server = server.map(|acceptor| acceptor.acceptor(NoDelayAcceptor));
        server.serve(app.into_make_service()).await?;
        return Ok(());
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    // Each event is a write of its own; Nagle would hold it back for the acknowledgement of the one before.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await?;
    Ok(())
}
