//! The node from its start to its end: parameters, then the executor, then its life.

use std::panic;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use super::engine::{CameraState, Engine, Shared};
use super::health::Health;
use super::lifecycle::LifecycleServices;
use super::source::RosClock;
use super::{executor, log, overrides, parameters, subscriptions};
use crate::config::Config;
use crate::detect::{DetectorSettings, Loaded};
use crate::metrics::{ModelIdentity, Window};
use crate::node::arguments::{Names, RosArguments, check_files};
use crate::node::lifecycle::{Lifecycle, Request};
use crate::node::parameters::ParameterSet;
use crate::pipeline::Tuning;

/// The node's name unless it is remapped.
const NAME: &str = "shuffledet";

/// Runs the node until a signal ends it. An error is one of its start: nothing was opened then.
pub fn run() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // from here on a signal waits for us to look
    let mut signals = {
        let _entered = runtime.enter();
        [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ]
    };
    let arguments = RosArguments::parse(std::env::args());
    check_files(&arguments, arguments.node_name(NAME))?;
    let mut node = create_node()?;
    let names = Names {
        node: node.name()?,
        namespace: node.namespace()?,
        arguments,
    };
    let clock = RosClock(node.get_ros_clock());
    let threshold = log::start(&mut node, clock.clone())?;

    let config = Config::from_tree(overrides::tree(&node)?, "parameters")?;
    threshold.set(config.log_level);
    if config.use_sim_time {
        node.get_time_source().enable_sim_time(&mut node)?;
    }
    let loaded = Loaded::new(config.clone())?;
    let model = loaded.model.description.clone();
    let identity = ModelIdentity {
        name: model.name.clone(),
        sha256: loaded.model.sha256.clone(),
    };
    let shared = Arc::new(share(&loaded, &names)?);
    let (executor, executor_thread) = executor::start(node)?;
    let engine = Engine::new(
        loaded,
        Arc::clone(&shared),
        executor.clone(),
        names.clone(),
        clock.clone(),
        runtime.handle().clone(),
    );
    let lifecycle = Arc::new(Lifecycle::new(engine));

    let managed = Arc::clone(&lifecycle);
    let services = executor.call(move |node| LifecycleServices::open(node, managed))??;
    let parameters = ParameterSet::new(config.clone(), model, threshold.initial())?;
    let parameters = Arc::new(Mutex::new(parameters));
    let publisher = executor.call(|node| {
        let (topic, type_name) = ("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
        node.create_publisher_untyped(topic, type_name, r2r::QosProfile::default())
    })??;
    let health = Health {
        executor: executor.clone(),
        names,
        shared: Arc::clone(&shared),
        lifecycle: Arc::clone(&lifecycle),
        parameters: Arc::clone(&parameters),
        model: identity,
        clock,
        publisher,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let health = thread::Builder::new()
        .name("health".into())
        .spawn(move || health.report(&stopped))?;

    let ended = LocalSet::new().block_on(&runtime, async {
        tokio::spawn(services.serve());
        let tuned = Arc::clone(&shared);
        let apply = move |config: &Config, settings: &DetectorSettings| {
            tuned.tune(config, settings);
            threshold.set(config.log_level);
            Ok(())
        };
        let serving = parameters::serve(executor.clone(), Arc::clone(&parameters), apply);
        tokio::task::spawn_local(async move {
            if let Err(error) = serving.await {
                tracing::error!("{error}");
            }
        });
        let [interrupt, terminate] = &mut signals;
        let ended = async {
            tokio::select! {
                _ = interrupt.recv() => Ok(()),
                _ = terminate.recv() => Ok(()),
                () = executor_thread.ended() => Err(anyhow!("the ROS node is lost: its thread ended by itself")),
            }
        };
        tokio::pin!(ended);
        if config.autostart {
            tokio::select! {
                ended = &mut ended => return ended,
                started = autostart(&lifecycle) => started?,
            }
        }
        ended.await
    });
    // finishes the frames in hand and publishes their results
    let state = lifecycle.state();
    if state.is_primary()
        && let Err(error) = lifecycle.change(Request::Label("shutdown"))
    {
        tracing::warn!("shutting down: {error}");
    }
    stop.store(true, Ordering::Relaxed);
    // it has nothing left to tell
    let _ = health.join();
    drop(lifecycle);
    runtime.shutdown_timeout(Duration::from_millis(100));
    executor_thread.join();
    ended.map(|()| ExitCode::SUCCESS)
}

/// The context and the node. rcl's refusal of an argument reaches us as a panic of r2r.
fn create_node() -> anyhow::Result<r2r::Node> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let context = panic::catch_unwind(r2r::Context::create);
    panic::set_hook(hook);
    let context = context.map_err(|panic| {
        let message = panic.downcast_ref::<String>().map_or("", String::as_str);
        anyhow!("ROS arguments: {message}")
    })?;
    Ok(r2r::Node::create(context?, NAME, "")?)
}

fn share(loaded: &Loaded, names: &Names) -> anyhow::Result<Shared> {
    let config = &loaded.config;
    let mut cameras = Vec::new();
    for (index, camera) in config.cameras.iter().enumerate() {
        let topics = subscriptions::image_topics(index, camera, names, config)
            .map_err(|(topic, problem)| anyhow!("qos_overrides.{topic}.subscription: {problem}"))?;
        let deadline = topics.first().and_then(|topic| topic.qos.deadline);
        let window = Window::new(config.diagnostics.window, deadline, Instant::now());
        cameras.push(Mutex::new(CameraState {
            window,
            topics,
            subscribed: None,
        }));
    }
    Ok(Shared {
        tuning: Arc::new(Tuning::new(loaded.live_tuning())),
        cameras,
        standing: Arc::clone(&loaded.standing),
        unable: Mutex::default(),
        parameters_changed: AtomicU64::new(0),
    })
}

/// To active, without being told to. A node that cannot get there ends.
async fn autostart(lifecycle: &Arc<Lifecycle>) -> anyhow::Result<()> {
    for transition in ["configure", "activate"] {
        let lifecycle = Arc::clone(lifecycle);
        let changed =
            tokio::task::spawn_blocking(move || lifecycle.change(Request::Label(transition)));
        if let Err(error) = changed.await.context("autostart")? {
            bail!("{error}");
        }
    }
    Ok(())
}
