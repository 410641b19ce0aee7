//! The answers to the page's requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::control::{Control, PlayCommand, PlaybackState, RunFacts};
use crate::hosts::Hosts;
use crate::hub::{Hub, HubView};
use crate::parts::BodyParts;
use crate::scene::Scene;
use crate::seconds::{STAGES, Second};
use crate::warnings::LogLine;
use shuffledet_core::FrameCounts;

/// What every answer needs.
#[derive(Clone)]
struct Page {
    hub: Arc<Hub>,
    control: Arc<dyn Control>,
    hosts: Arc<Hosts>,
    /// Held while `control` is at work, so that orders come one after another.
    order: Arc<Mutex<()>>,
    limits: PageLimits,
    /// Tells the page of one run from the page of the next.
    run: u64,
}

/// The limits of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageLimits {
    /// How long a viewer waits for the next picture before it gets the counts alone.
    pub wait: Duration,
    /// How long the body of a request and the answer may take.
    pub answer: Duration,
    /// The body of a request, in bytes.
    pub body: usize,
}

const INDEX: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPTS: [(&str, &str); 4] = [
    ("/page.js", include_str!("page/page.js")),
    ("/picture.js", include_str!("page/picture.js")),
    ("/plot.js", include_str!("page/plot.js")),
    ("/control.js", include_str!("page/control.js")),
];

/// Nothing from elsewhere, and no code in the document.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the answers of a page.
pub(crate) fn routes(
    hub: Arc<Hub>,
    control: Arc<dyn Control>,
    hosts: Hosts,
    limits: PageLimits,
    run: u64,
) -> Router {
    let page = Page {
        hub,
        control,
        hosts: Arc::new(hosts),
        order: Arc::default(),
        limits,
        run,
    };
    let text = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    let mut router = Router::new()
        .route("/", text("text/html; charset=utf-8", INDEX))
        .route("/page.css", text("text/css; charset=utf-8", STYLE));
    for (path, script) in SCRIPTS {
        router = router.route(path, text("text/javascript; charset=utf-8", script));
    }
    router
        .route("/live", get(live))
        .route("/parameters", get(parameters))
        .route("/parameters.yaml", get(parameters_yaml))
        .route("/play", post(play))
        .route("/parameter", post(set_parameter))
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(middleware::from_fn_with_state(page.clone(), guard))
        .with_state(page)
}

/// Refuses requests of other sites, and adds the headers that every answer has.
async fn guard(State(page): State<Page>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match page.hosts.check(&parts) {
        Ok(()) => {
            let answer = next.run(Request::from_parts(parts, body));
            let answer = tokio::time::timeout(page.limits.answer, answer).await;
            answer.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
        }
        Err(refusal) => (StatusCode::FORBIDDEN, refusal.text()).into_response(),
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What a viewer has already.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Has {
    /// The run that the rest belongs to.
    run: u64,
    /// The last sequence of pictures.
    after: u64,
    /// The first second that it lacks.
    second: u64,
}

/// What the page shows, but for the pictures, which follow it in the order of the cameras.
#[derive(Serialize)]
struct Live<'a> {
    run: u64,
    sequence: u64,
    cameras: Vec<LiveCamera<'a>>,
    stages: [&'static str; STAGES.len()],
    seconds: &'a [Second],
    log: &'a [LogLine],
    facts: &'a RunFacts,
    playback: Option<PlaybackState>,
}

#[derive(Serialize)]
struct LiveCamera<'a> {
    name: &'a str,
    counts: &'a FrameCounts,
    /// The size of its picture in bytes, and what is in it; `None` if the viewer has it.
    picture: Option<LivePicture<'a>>,
}

#[derive(Serialize)]
struct LivePicture<'a> {
    bytes: usize,
    scene: &'a Scene,
}

/// Answers when there is a new picture, or after a while: the length of the JSON as four bytes, the
/// lowest first, then the JSON, then the JPEG of each new picture.
async fn live(State(page): State<Page>, has: Result<Query<Has>, QueryRejection>) -> Response {
    let Has { run, after, second } = match has {
        Ok(Query(has)) => has,
        Err(rejection) => return rejection.into_response(),
    };
    let (after, second) = match run == page.run {
        true => (after, second),
        false => (0, 0),
    };
    let hub = &page.hub;
    hub.look(Instant::now());
    hub.wait_for(after, page.limits.wait).await;
    hub.look(Instant::now());
    let view = hub.view(Instant::now(), after, second);
    let (facts, playback) = (page.control.facts(), page.control.playback());
    let Some(head) = head(&view, page.run, &facts, playback) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let pictures = view.cameras.into_iter();
    let pictures = pictures.filter_map(|camera| Some(camera.shown?.jpeg));
    let body = Body::new(BodyParts::new([head].into_iter().chain(pictures)));
    ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response()
}

fn head(
    view: &HubView,
    run: u64,
    facts: &RunFacts,
    playback: Option<PlaybackState>,
) -> Option<Bytes> {
    let cameras = view.cameras.iter().map(|camera| LiveCamera {
        name: &camera.name,
        counts: &camera.counts,
        picture: camera.shown.as_ref().map(|shown| LivePicture {
            bytes: shown.jpeg.len(),
            scene: &shown.scene,
        }),
    });
    let live = Live {
        run,
        sequence: view.sequence,
        cameras: cameras.collect(),
        stages: STAGES.map(|stage| stage.name()),
        seconds: &view.seconds,
        log: &view.lines,
        facts,
        playback,
    };
    let mut head = vec![0; 4];
    serde_json::to_writer(&mut head, &live).ok()?;
    let length = u32::try_from(head.len() - 4).ok()?;
    head[..4].copy_from_slice(&length.to_le_bytes());
    Some(head.into())
}

async fn parameters(State(page): State<Page>) -> Response {
    let get = |control: Arc<dyn Control>| {
        let (parameters, fixed) = (control.parameters(), control.parameters_fixed());
        json!({ "parameters": parameters, "fixed": fixed })
    };
    match with_control(&page, get).await {
        Some(found) => axum::Json(found).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn parameters_yaml(State(page): State<Page>) -> Response {
    match with_control(&page, |control| control.parameters_yaml()).await {
        Some(Ok(yaml)) => {
            let kind = (header::CONTENT_TYPE, "application/yaml; charset=utf-8");
            let name = "attachment; filename=\"shuffledet.yaml\"";
            ([kind, (header::CONTENT_DISPOSITION, name)], yaml).into_response()
        }
        Some(Err(why)) => (StatusCode::INTERNAL_SERVER_ERROR, why).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn play(State(page): State<Page>, axum::Json(command): axum::Json<PlayCommand>) -> Response {
    let obeyed = with_control(&page, move |control| control.play(&command)).await;
    answer(obeyed)
}

/// A change of a parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterChange {
    name: String,
    value: Value,
}

async fn set_parameter(
    State(page): State<Page>,
    axum::Json(change): axum::Json<ParameterChange>,
) -> Response {
    let set = with_control(&page, move |control| {
        if let Some(why) = control.parameters_fixed() {
            return Err(why);
        }
        control.set_parameter(&change.name, &change.value)?;
        Ok(format!("{} is set", change.name))
    });
    answer(set.await)
}

fn answer(obeyed: Option<Result<String, String>>) -> Response {
    match obeyed {
        Some(Ok(text)) => axum::Json(json!({ "ok": text })).into_response(),
        Some(Err(why)) => {
            let refused = axum::Json(json!({ "error": why }));
            (StatusCode::CONFLICT, refused).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Runs `work` on another thread, because it may wait. Returns `None` if it panicked.
async fn with_control<T: Send + 'static>(
    page: &Page,
    work: impl FnOnce(Arc<dyn Control>) -> T + Send + 'static,
) -> Option<T> {
    let _one_at_a_time = page.order.lock().await;
    let control = Arc::clone(&page.control);
    spawn_blocking(move || work(control)).await.ok()
}
