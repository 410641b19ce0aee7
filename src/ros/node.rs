//! Runs the node: parameters, then the executor, then the lifecycle.

use std::convert::Infallible;
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};
use tokio::time::sleep;

use super::engine::Engine;
use super::error::explained;
use super::executor::{self, Executor, ExecutorThread};
use super::health::{Health, HealthThread};
use super::lifecycle::LifecycleServices;
use super::log::Threshold;
use super::model_change::ModelChanger;
use super::models::Models;
use super::page::{NodeControl, PageChange};
use super::shared::Shared;
use super::signals::Signals;
use super::source::RosClock;
use super::watchdog::{NodeProgress, Reports, Watchdog};
use super::{arguments, exit, log, overrides, page, parameters, shared_memory};
use shuffledet_core::process_limits::{check_files as check_open_files, check_threads};
use shuffledet_detector::config::{CameraConfig, Config};
use shuffledet_detector::{LoadedModel, detect::DetectorSettings};
use shuffledet_node::arguments::{Names, RosArguments, check_files};
use shuffledet_node::lifecycle::{Lifecycle, Request};
use shuffledet_node::parameters::ParameterSet;
use shuffledet_node::watch::{BEAT, STUCK_EXIT_CODE};
use shuffledet_view::Served;

/// The node's default name.
const NAME: &str = "shuffledet";

/// What a node needs at its start, with some to spare: it opens about 25 files and starts about 25 threads besides its
/// workers and the threads of its sessions.
const FILES: usize = 40;
const THREADS: usize = 32;

/// Runs the node until a signal ends it and the process. Returns only an error: at the start,
/// before anything is opened, or because the node cannot continue.
pub fn run() -> anyhow::Result<Infallible> {
    // DDS and tokio end the process or panic if they cannot open or start what they need
    check_open_files(FILES)?;
    check_threads(THREADS)?;
    shared_memory::check()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // from here on signals are queued
    let mut signals = Signals::listen(&runtime)?;
    let watchdog = Watchdog::start()?;
    let (node, start) = begin()?;
    watchdog.watch_node(&start.shared.progress);
    let (executor, mut executor_thread) = executor::start(node, &start.shared.progress.executor)?;
    let life = Life::open(start, executor, runtime.handle(), &watchdog)?;
    let ended = LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            () = signals.any() => Ok(Ended::Asked),
            () = executor_thread.ended() => Ok(Ended::WithoutExecutor),
            failed = life.go_on() => failed,
        }
    });
    let code = match &ended {
        Ok(Ended::Asked) => 0,
        Ok(Ended::WithoutExecutor) => STUCK_EXIT_CODE,
        Err(_) => 1,
    };
    watchdog.end(code);
    life.end(runtime, executor_thread);
    if let Ended::WithoutExecutor = ended? {
        eprintln!("error: the thread of the ROS node ended unexpectedly; start the node again");
    }
    exit::at_once(code)
}

/// Why a node ended that ran.
enum Ended {
    Asked,
    WithoutExecutor,
}

/// The checked parts of the node before anything is opened.
struct NodeStart {
    names: Names,
    clock: RosClock,
    threshold: Threshold,
    loaded: LoadedModel,
    shared: Arc<Shared>,
    parameters: ParameterSet,
}

/// Checks arguments, parameters and model.
fn begin() -> anyhow::Result<(r2r::Node, NodeStart)> {
    let words = arguments::collect(std::env::args_os())?;
    let arguments = RosArguments::parse(words.iter().cloned());
    check_files(&arguments, arguments.node_name(NAME))?;
    arguments::check_own(&arguments::check(&words)?)?;
    let (mut node, everyone) = create_node()?;
    let names = Names {
        node: explained(|| node.name())?,
        namespace: explained(|| node.namespace())?,
        arguments,
    };
    let clock = RosClock(node.get_ros_clock());
    let threshold = log::start(&mut node, clock.clone(), everyone)?;
    let config = Config::from_tree(overrides::tree(&node)?, "parameters")?;
    threshold.set(config.log_level);
    if config.use_sim_time {
        explained(|| node.get_time_source().enable_sim_time(&mut node))?;
    }
    let loaded = LoadedModel::new(config.clone())?;
    let model = loaded.model.description.clone();
    let workers = config.wider_threads.map_or(0, |wider| wider.workers.get());
    let workers = workers.max(config.threads.workers.get());
    let progress = NodeProgress::new(workers, config.diagnostics.stuck_after);
    let start = NodeStart {
        shared: Arc::new(Shared::new(&loaded, &names, progress)?),
        parameters: ParameterSet::new(config, model, threshold.initial())?,
        names,
        clock,
        threshold,
        loaded,
    };
    Ok((node, start))
}

/// Creates the context and the node, and returns the level of every logger. r2r panics if rcl
/// rejects the environment, such as a wrong `ROS_DOMAIN_ID`.
fn create_node() -> anyhow::Result<(r2r::Node, i32)> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let context = panic::catch_unwind(|| explained(r2r::Context::create));
    panic::set_hook(hook);
    let context = context.map_err(|panic| {
        let message = panic.downcast_ref::<String>().map_or("", String::as_str);
        anyhow!("cannot start ROS: {message}")
    })?;
    let context = context.context("ROS")?;
    let everyone = log::spare_others();
    let node =
        explained(|| r2r::Node::create(context, NAME, "")).context("cannot create the node")?;
    Ok((node, everyone))
}

/// The opened node.
struct Life {
    executor: Executor,
    shared: Arc<Shared>,
    lifecycle: Arc<Lifecycle>,
    parameters: Arc<Mutex<ParameterSet>>,
    changer: Arc<ModelChanger>,
    threshold: Threshold,
    health: HealthThread,
    autostart: bool,
    page: Option<Served>,
    page_changes: Mutex<Option<mpsc::Receiver<PageChange>>>,
}

impl Life {
    /// Creates the node's interfaces in the unconfigured state. `control` serves them.
    fn open(
        start: NodeStart,
        executor: Executor,
        control: &Handle,
        watchdog: &Watchdog,
    ) -> anyhow::Result<Self> {
        let NodeStart {
            names,
            clock,
            threshold,
            loaded,
            shared,
            parameters,
        } = start;
        let (autostart, web) = (loaded.config.autostart, loaded.config.web.clone());
        let cameras = loaded.config.cameras.iter();
        let cameras = cameras.map(CameraConfig::title).collect();
        let parameters = Arc::new(Mutex::new(parameters));
        let models = Arc::new(Models::new(loaded));
        let lifecycle = Arc::new(Lifecycle::new(Engine::new(
            Arc::clone(&models),
            Arc::clone(&shared),
            executor.clone(),
            names.clone(),
            clock.clone(),
        )));
        lifecycle.observe(|transition| {
            let (start, goal) = (transition.start, transition.goal);
            tracing::info!("lifecycle: {start} to {goal} ({})", transition.label);
        });
        let managed = Arc::clone(&lifecycle);
        let services = executor.call(move |node| LifecycleServices::open(node, managed))??;
        control.spawn(services.serve());
        let publisher = executor.call(|node| {
            let (topic, type_name) = ("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
            let qos = r2r::QosProfile::default();
            explained(|| node.create_publisher_untyped(topic, type_name, qos))
                .context("/diagnostics")
        })??;
        watchdog.report_with(Reports {
            publisher: Mutex::new(publisher.clone()),
            clock: clock.clone(),
            node: names.node.clone(),
            cameras,
        });
        let (changes, page_changes) = mpsc::channel(1);
        let page = page::serve(
            &web,
            NodeControl {
                node: names.resolve("~"),
                shared: Arc::clone(&shared),
                lifecycle: Arc::clone(&lifecycle),
                parameters: Arc::clone(&parameters),
                changes,
                allow_changes: web.allow_changes,
            },
        )?;
        let health = Health {
            executor: executor.clone(),
            names,
            shared: Arc::clone(&shared),
            lifecycle: Arc::clone(&lifecycle),
            parameters: Arc::clone(&parameters),
            clock,
            publisher,
            watchdog: watchdog.clone(),
        };
        let changer = ModelChanger::new(
            Arc::clone(&shared),
            models,
            Arc::clone(&parameters),
            Arc::clone(&lifecycle),
        );
        Ok(Self {
            executor,
            shared,
            lifecycle,
            changer: Arc::new(changer),
            parameters,
            threshold,
            health: health.start()?,
            autostart,
            page,
            page_changes: Mutex::new(Some(page_changes)),
        })
    }

    /// Serves the parameters, and configures and activates the node if `autostart` is set. Returns
    /// only on an error.
    async fn go_on(&self) -> anyhow::Result<Ended> {
        let (shared, threshold) = (Arc::clone(&self.shared), self.threshold.clone());
        let changer = Arc::clone(&self.changer);
        let apply = move |config: &Config, settings: &DetectorSettings| {
            if let Some(refusal) = changer.refusal() {
                return Err(refusal);
            }
            shared.tune(shared.tuning.get().model, config, settings);
            threshold.set(config.log_level);
            Ok(())
        };
        let (executor, parameters) = (self.executor.clone(), Arc::clone(&self.parameters));
        let page_changes = self
            .page_changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let page_changes = page_changes.context("the parameters are served already")?;
        let changer = Arc::clone(&self.changer);
        spawn_local(async move {
            let served =
                parameters::serve(executor, parameters, page_changes, changer, Box::new(apply));
            if let Err(error) = served.await {
                tracing::error!("{error}");
            }
        });
        let control = Arc::clone(&self.shared.progress);
        spawn_local(async move {
            loop {
                control.control.beat();
                sleep(BEAT).await;
            }
        });
        if self.autostart {
            for transition in ["configure", "activate"] {
                let lifecycle = Arc::clone(&self.lifecycle);
                let change = move || lifecycle.change(Request::Label(transition));
                if let Err(error) = spawn_blocking(change).await.context("autostart")? {
                    bail!("{error}");
                }
            }
        }
        std::future::pending().await
    }

    /// Finishes the current frames, publishes their results and removes the node from the graph.
    fn end(self, runtime: Runtime, executor: ExecutorThread) {
        /// Maximum wait for a running change. Loading a model cannot be interrupted and is
        /// abandoned.
        const GRACE: Duration = Duration::from_millis(300);
        let control = Arc::clone(&self.shared.progress.control);
        // each step of the end may take its time
        control.beat();
        self.health.stop();
        let began = Instant::now();
        while !self.lifecycle.state().is_primary() && began.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(5));
        }
        if self.lifecycle.state().is_primary()
            && let Err(error) = self.lifecycle.change(Request::Label("shutdown"))
        {
            tracing::warn!("cannot shut down in order: {error}");
        }
        control.beat();
        self.health.join();
        control.beat();
        drop(self.page);
        control.beat();
        drop((self.lifecycle, self.changer));
        runtime.shutdown_background();
        executor.join();
    }
}
