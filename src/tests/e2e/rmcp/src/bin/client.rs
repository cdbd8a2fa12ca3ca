//! The client of rmcp: runs the jobs of the file named on the command line, as the Python and TypeScript clients do.

#![expect(deprecated, reason = "the legacy era has what the modern one removed")]

use std::collections::BTreeSet;
use std::fs::{File, read_to_string, write};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient, ServiceError,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, from_str, from_value, json, to_value};
use tokio::time::{sleep, timeout};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Default)]
struct Listener {
    changes: Arc<Mutex<Vec<String>>>,
    progress: Arc<Mutex<Vec<Value>>>,
}

impl Listener {
    fn changed(&self, change: impl Into<String>) {
        self.changes
            .lock()
            .expect("no panic holds it")
            .push(change.into());
    }
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let capabilities =
            json!({"sampling": {}, "elicitation": {}, "roots": {"listChanged": false}});
        let capabilities = from_value(capabilities).expect("written above");
        ClientConfig::new(capabilities, Implementation::new("rmcp", "0"))
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let sampled = json!({
            "role": "assistant", "content": {"type": "text", "text": "sampled"}, "model": "none", "stopReason": "endTurn",
        });
        from_value(sampled).map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        from_value(json!({"action": "accept", "content": {"colour": "red", "name": "ada"}}))
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        from_value(json!({"roots": [{"uri": "file:///home", "name": "home"}]}))
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let seen = json!([params.progress, params.total, params.message]);
        self.progress.lock().expect("no panic holds it").push(seen);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed("tools");
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed("prompts");
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed("resources");
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.changed(params.uri);
    }
}

type Client = RunningService<RoleClient, Listener>;

async fn connect(job: &Value) -> Result<Client, Failure> {
    let url = job["url"].as_str().unwrap_or_default().to_owned();
    let lifecycle = if job["era"] == "modern" {
        ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        }
    } else {
        ClientLifecycleMode::Initialize
    };
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(http(job)?, config);
    Ok(Listener::default()
        .serve_with_lifecycle(transport, lifecycle)
        .await?)
}

/// The HTTP that the job asks for: TLS by its authority, HTTP/2 by what TLS settles on or without asking.
fn http(job: &Value) -> Result<reqwest::Client, Failure> {
    let mut http = reqwest::Client::builder();
    if let Some(ca) = job["ca"].as_str() {
        http = http.tls_certs_only([reqwest::Certificate::from_pem(&std::fs::read(ca)?)?]);
    }
    http = if job["http2"] == true {
        http.http2_prior_knowledge()
    } else {
        http.http1_only()
    };
    Ok(http.build()?)
}

fn shaped<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    Ok(from_value(value)?)
}

fn call(name: &Value, arguments: &Value) -> Result<CallToolRequestParams, Failure> {
    shaped(json!({"name": name, "arguments": arguments}))
}

/// The errors of the protocol are part of the transcript, all others end it.
fn answered<T: serde::Serialize>(result: Result<T, ServiceError>) -> Result<Value, Failure> {
    match result {
        Ok(result) => Ok(to_value(result)?),
        Err(ServiceError::McpError(error)) => Ok(json!({"error": to_value(error)?})),
        Err(error) => Err(error.into()),
    }
}

async fn changes(client: &Client, step: &Value, job: &Value) -> Result<Value, Failure> {
    let expected = step["expect"].as_u64().unwrap_or_default() as usize;
    let announce = call(&step["name"], &json!({}))?;
    if job["era"] == "modern" {
        let uri = step["uri"].as_str().unwrap_or_default();
        let mut filter = SubscriptionFilter::builder()
            .tools_list_changed()
            .prompts_list_changed();
        filter = filter
            .resources_list_changed()
            .resource_subscriptions([uri]);
        let mut subscription = client.listen(filter.build()).await?;
        let result = answered(client.call_tool(announce).await)?;
        let mut heard = BTreeSet::new();
        while heard.len() < expected {
            let Ok(Some(change)) = timeout(Duration::from_secs(5), subscription.next()).await?
            else {
                break;
            };
            heard.insert(to_value(change)?["method"].to_string());
        }
        let honored = to_value(subscription.acknowledged())?;
        subscription.cancel().await?;
        return Ok(json!({"result": result, "changes": heard, "honored": honored}));
    }
    reqwest::get(format!(
        "{}/stream",
        job["recorder"].as_str().unwrap_or_default()
    ))
    .await?;
    client
        .service()
        .changes
        .lock()
        .expect("no panic holds it")
        .clear();
    let result = answered(client.call_tool(announce).await)?;
    for _ in 0..500 {
        if client
            .service()
            .changes
            .lock()
            .expect("no panic holds it")
            .len()
            >= expected
        {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let heard: BTreeSet<_> = client
        .service()
        .changes
        .lock()
        .expect("no panic holds it")
        .drain(..)
        .collect();
    Ok(json!({"result": result, "changes": heard}))
}

async fn perform(client: &Client, step: &Value, job: &Value) -> Result<Value, Failure> {
    let uri = json!({"uri": step["uri"]});
    match step["op"].as_str().unwrap_or_default() {
        "ping" => {
            let ping = ClientRequest::PingRequest(PingRequest::default());
            answered(client.send_request(ping).await)
        }
        "list_tools" => answered(client.list_tools(None).await),
        "list_resources" => answered(client.list_resources(None).await),
        "list_templates" => answered(client.list_resource_templates(None).await),
        "list_prompts" => answered(client.list_prompts(None).await),
        "call" => {
            client
                .service()
                .progress
                .lock()
                .expect("no panic holds it")
                .clear();
            let result = answered(
                client
                    .call_tool(call(&step["name"], &step["arguments"])?)
                    .await,
            )?;
            // Progress is handled beside the answer: the last one may still be on its way to the handler.
            let expected = step["progress"].as_u64().unwrap_or_default();
            for _ in 0..100 {
                if client
                    .service()
                    .progress
                    .lock()
                    .expect("no panic holds it")
                    .len() as u64
                    >= expected
                {
                    break;
                }
                sleep(Duration::from_millis(10)).await;
            }
            let mut progress = client
                .service()
                .progress
                .lock()
                .expect("no panic holds it")
                .clone();
            progress.sort_by_key(Value::to_string);
            Ok(json!({"result": result, "progress": progress}))
        }
        "read" => answered(client.read_resource(shaped(uri)?).await),
        "prompt" => {
            let prompt = json!({"name": step["name"], "arguments": step["arguments"]});
            answered(client.get_prompt(shaped(prompt)?).await)
        }
        "complete" => {
            let reference = json!({"type": "ref/prompt", "name": step["prompt"]});
            answered(
                client
                    .complete(shaped(
                        json!({"ref": reference, "argument": step["argument"]}),
                    )?)
                    .await,
            )
        }
        "level" => answered(
            client
                .set_level(shaped(json!({"level": step["level"]}))?)
                .await,
        ),
        "subscribe" => answered(client.subscribe(shaped(uri)?).await),
        "unsubscribe" => answered(client.unsubscribe(shaped(uri)?).await),
        "changes" => changes(client, step, job).await,
        other => Err(format!("unknown step {other}").into()),
    }
}

async fn script(job: &Value, out: &mut File) -> Result<(), Failure> {
    let client = connect(job).await?;
    writeln!(
        out,
        "{}",
        json!({"step": "connect", "seen": to_value(client.peer_info().as_deref())?})
    )?;
    let steps: Vec<Value> = from_str(&read_to_string(
        job["scenario"].as_str().unwrap_or_default(),
    )?)?;
    let has: Vec<Value> = shaped(job["has"].clone())?;
    for step in steps
        .iter()
        .filter(|step| step["needs"].is_null() || has.contains(&step["needs"]))
    {
        let seen = perform(&client, step, job).await?;
        writeln!(
            out,
            "{}",
            json!({"step": [step["op"], step["name"]], "seen": seen})
        )?;
    }
    client.cancel().await?;
    Ok(())
}

async fn one_session(job: Value, number: u64) -> Result<(), Failure> {
    let client = connect(&job).await?;
    for turn in 0..job["calls"].as_u64().unwrap_or_default() {
        let text = format!("{number}/{turn}");
        let arguments = Value::Object(
            [(
                job["argument"].as_str().unwrap_or_default().into(),
                json!(text),
            )]
            .into_iter()
            .collect(),
        );
        let result = to_value(client.call_tool(call(&job["tool"], &arguments)?).await?)?;
        if !result["content"][0]["text"]
            .as_str()
            .is_some_and(|answer| answer.contains(&text))
        {
            return Err(format!("call {turn} was answered {result}").into());
        }
        tokio::time::sleep(Duration::from_secs_f64(
            job["pause"].as_f64().unwrap_or_default(),
        ))
        .await;
    }
    client.cancel().await?;
    Ok(())
}

async fn many(job: &Value, limit: Duration) -> Result<Value, Failure> {
    let sessions = job["sessions"].as_u64().unwrap_or_default();
    let running: Vec<_> = (0..sessions)
        .map(|number| tokio::spawn(timeout(limit, one_session(job.clone(), number))))
        .collect();
    let mut failures = Vec::new();
    for (number, session) in running.into_iter().enumerate() {
        match session.await? {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failures.push(format!("session {number}: {error:?}")),
            Err(late) => failures.push(format!("session {number}: {late}")),
        }
    }
    Ok(json!({"sessions": sessions, "failures": failures}))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let jobs = std::env::args().nth(1).ok_or("usage: client JOBS")?;
    for job in from_str::<Vec<Value>>(&read_to_string(jobs)?)? {
        let limit = Duration::from_secs(job["timeout"].as_u64().unwrap_or(30));
        let path = job["out"].as_str().unwrap_or_default();
        if job["sessions"].is_null() {
            let mut out = File::create(path)?;
            let end = match timeout(limit, script(&job, &mut out)).await {
                Ok(Ok(())) => "clean".to_owned(),
                Ok(Err(error)) => format!("{error:?}"),
                Err(late) => late.to_string(),
            };
            writeln!(out, "{}", json!({"step": "end", "seen": end}))?;
        } else {
            write(path, many(&job, limit).await?.to_string())?;
        }
        println!("done {path}");
    }
    Ok(())
}
