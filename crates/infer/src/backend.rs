//! Creates and profiles sessions of ONNX Runtime, and keeps what TensorRT builds.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::session::Session as OrtSession;
use ort::session::builder::GraphOptimizationLevel;

use super::cache::CacheFolder;
use super::gpu::Nvidia;
use super::options::{registration, tolerance};
use super::placement;
use super::runner::{Backend, OrtRunner, Runner};
use super::self_test::Probe;
use super::{InferError, Provider, ProviderError, Runtime, SessionOptions, log, runtime};
use shuffledet_core::process_limits::check_threads;
use shuffledet_core::{Cause, InputSpec, NodePlacement, Resolution, locations};
use shuffledet_onnx as onnx;
use shuffledet_onnx::input_size;
use shuffledet_onnx::layout::{self, NotArranged};

/// A model in the form that ONNX Runtime needs.
#[derive(Debug, Clone, Copy)]
pub struct ModelFile<'a> {
    pub path: &'a Path,
    /// The unmodified ONNX file.
    pub onnx: &'a [u8],
    /// The sha256 of the file in lower-case hexadecimal.
    pub sha256: &'a str,
    /// The input that the file was exported for.
    pub input: &'a InputSpec,
    /// The resolution at which the model runs. The graph is rewritten for it if it is another than
    /// that of `input`.
    pub resolution: Resolution,
}

impl<'a> ModelFile<'a> {
    /// Returns the graph for `resolution`.
    fn graph(&self) -> Result<Cow<'a, [u8]>, InferError> {
        let path = || self.path.display().to_string();
        let onnx =
            onnx::remove_initializer_inputs(self.onnx).map_err(|source| InferError::Onnx {
                path: path(),
                source,
            })?;
        if self.resolution == self.input.resolution() {
            return Ok(onnx);
        }
        let (width, height) = self.resolution.sides();
        match input_size::resize(&onnx, width, height) {
            Ok(resized) => Ok(Cow::Owned(resized.into_owned())),
            Err(source) => Err(InferError::NotResized {
                path: path(),
                resolution: self.resolution,
                source: Box::new(source),
            }),
        }
    }

    /// Checks that the graph can be rewritten for `resolution`. Creates no session.
    ///
    /// # Errors
    /// [`InferError::NotResized`] names what blocked it; [`InferError::Onnx`] if the file is not a
    /// usable ONNX model.
    pub fn check_resolution(&self) -> Result<(), InferError> {
        self.graph().map(drop)
    }
}

/// Creates sessions of one model at one resolution in ONNX Runtime.
pub struct OrtBackend {
    runtime: Runtime,
    options: SessionOptions,
    /// The graph that ONNX Runtime loads.
    graph: Vec<u8>,
    /// Why the channels of the graph are not arranged; `None` if they are.
    not_arranged: Option<NotArranged>,
    model_sha256: String,
    resolution: Resolution,
    probe: Probe,
    /// The cache of the TensorRT session created last, until its self-test.
    unproven: Mutex<Option<CacheFolder>>,
    profiled: Profiled,
}

/// Which sessions are profiled at creation, which takes three runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profiled {
    /// Sessions on a provider that may leave nodes to the CPU. On the CPU alone a profile shows
    /// nothing.
    Accelerated,
    All,
}

impl OrtBackend {
    /// # Errors
    /// The model's file is not a usable ONNX model, or its graph cannot be rewritten for the
    /// resolution.
    pub fn new(
        runtime: &Runtime,
        model: ModelFile<'_>,
        options: &SessionOptions,
        profiled: Profiled,
    ) -> Result<Self, InferError> {
        let original = model.graph()?;
        let (path, resolution) = (model.path.display(), model.resolution);
        let (graph, not_arranged) = match layout::arrange(&original, layout::block()) {
            Ok(arranged) => {
                let (before, after) = (arranged.nodes_before, arranged.nodes_after);
                tracing::debug!(
                    "{path} at {resolution}: channels arranged, {before} nodes became {after}"
                );
                for kept in &arranged.unfollowed {
                    tracing::debug!("{path}: {} was kept: {}", kept.node, kept.blocked);
                }
                (arranged.onnx, None)
            }
            Err(reason) => {
                tracing::info!(
                    "{path} at {resolution}: channels not arranged, inference may be slower: {reason}"
                );
                (original.into_owned(), Some(reason))
            }
        };
        Ok(Self {
            runtime: runtime.clone(),
            options: options.clone(),
            graph,
            not_arranged,
            model_sha256: model.sha256.to_owned(),
            resolution,
            probe: Probe::new(&model.input.at(resolution)),
            unproven: Mutex::new(None),
            profiled,
        })
    }

    fn commit(
        &self,
        provider: Provider,
        cache: Option<&Path>,
        profile: Option<&Path>,
    ) -> ort::Result<OrtSession> {
        let options = &self.options;
        let threads = options.intra_op_threads;
        let registration = registration(provider, &options.options, threads, cache);
        let mut builder = OrtSession::builder(&self.runtime.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads)?
            // a spinning thread would take a core from the preparation of the next frame, or from
            // the thread that it waits for
            .with_intra_op_spinning(false)?
            .with_execution_providers([registration])?;
        if let Some(prefix) = profile {
            builder = builder.with_profiling(prefix)?;
        }
        builder.commit_from_memory(&self.graph)
    }

    /// Returns why the channels of the graph are not arranged; `None` if they are.
    pub fn not_arranged(&self) -> Option<&NotArranged> {
        self.not_arranged.as_ref()
    }

    /// Runs a session with a profile a few times, and reads the profile.
    fn measure(&self, runner: &mut OrtRunner) -> Result<Vec<NodePlacement>, ProviderError> {
        /// The first run does not count.
        const RUNS: usize = 3;
        for _ in 0..RUNS {
            runner.run(self.probe.shape, &self.probe.tensor)?;
        }
        let unread = |error: String| {
            let text = format!("its profile cannot be read: {error}");
            ProviderError::new(Cause::Other, text)
        };
        let file = runner.end_profile().map_err(|e| unread(e.to_string()))?;
        let json = std::fs::read_to_string(file).map_err(|e| unread(e.to_string()))?;
        placement::from_profile(&json).map_err(|e| unread(e.to_string()))
    }

    /// Opens the folder where TensorRT keeps what it builds. Without a cache, it builds on each
    /// start.
    fn open_cache(&self) -> Option<CacheFolder> {
        let options = &self.options.options.tensorrt;
        if !self.wants_cache() {
            return None;
        }
        let nvidia = Nvidia::find(Path::new("/"))?;
        let tensorrt = runtime::tensorrt_version()?;
        let facts = format!(
            "model {}\ninput {}\nGPUs {}, device {}\ndriver {}\nTensorRT {tensorrt}\nONNX Runtime {}\nfp16 {}, int8 {}, \
             workspace {} MB",
            self.model_sha256,
            self.resolution,
            nvidia.gpus.join(" / "),
            options.device,
            nvidia.driver,
            self.runtime.version(),
            options.fp16,
            options.int8,
            options.workspace_mb,
        );
        let folder = match options.cache_folder.as_str() {
            "" => locations::user_cache().join("tensorrt"),
            folder => PathBuf::from(folder),
        };
        CacheFolder::open(&folder, facts)
            .inspect_err(|error| {
                let folder = folder.display();
                tracing::warn!("cannot cache TensorRT engines in {folder}: {error}");
            })
            .ok()
    }

    fn wants_cache(&self) -> bool {
        let options = &self.options.options.tensorrt;
        options.engine_cache || options.timing_cache
    }

    fn take_unproven(&self) -> Option<CacheFolder> {
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        unproven.take()
    }
}

impl Backend for OrtBackend {
    fn build(&self, provider: Provider) -> Result<Box<dyn Runner>, ProviderError> {
        let profiled = provider != Provider::Cpu || self.profiled == Profiled::All;
        let folder = profiled.then(tempfile::tempdir).transpose().map_err(|e| {
            let text = format!("cannot create a temporary folder for its profile: {e}");
            ProviderError::new(Cause::Other, text)
        })?;
        let profile = folder.as_ref().map(|folder| folder.path().join("profile"));
        let cache = match provider {
            Provider::TensorRt => self.open_cache(),
            _ => None,
        };
        let path = cache.as_ref().map(|cache| cache.path().to_owned());
        if let Some(cache) = cache {
            *self.unproven.lock().unwrap_or_else(PoisonError::into_inner) = Some(cache);
        }
        // ONNX Runtime waits without end for the threads of a pool if it gets only some of them
        check_threads(self.options.intra_op_threads.saturating_sub(1))
            .map_err(|e| ProviderError::new(Cause::Other, e.to_string()))?;
        let commit = || self.commit(provider, path.as_deref(), profile.as_deref());
        let (session, logged) = log::collect(commit);
        let session = session.map_err(|error| {
            let told = logged.iter().map(String::as_str);
            let told: Vec<_> = told.chain([error.message()]).collect();
            ProviderError::from_message(provider, &told.join("; "))
        })?;
        let mut runner = OrtRunner::new(session, provider);
        if profiled {
            runner.placement = self.measure(&mut runner)?;
            let runs_some = |placed: &NodePlacement| placed.provider == provider.name();
            if !runner.placement.iter().any(runs_some) {
                let nodes: u64 = runner.placement.iter().map(|placed| placed.nodes).sum();
                let text = format!("it runs none of the model's {nodes} nodes");
                return Err(ProviderError::new(Cause::OperatorUnsupported, text));
            }
        }
        Ok(Box::new(runner))
    }

    fn tolerance(&self, provider: Provider) -> f64 {
        tolerance(provider, &self.options.options)
    }

    fn approve(&self, provider: Provider) {
        if provider != Provider::TensorRt || !self.wants_cache() {
            return;
        }
        let kept = match self.take_unproven() {
            Some(folder) => folder.seal().map_err(|error| error.to_string()),
            None => Err("its GPU, driver and TensorRT version are unknown".to_owned()),
        };
        if let Err(error) = kept {
            tracing::warn!("the TensorRT engine is not cached for the next start: {error}");
        }
    }

    fn discard(&self, provider: Provider) -> bool {
        provider == Provider::TensorRt && self.take_unproven().is_some_and(CacheFolder::discard)
    }
}
