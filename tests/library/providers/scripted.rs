//! A backend that does as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shuffledet_core::ProviderStatus;
use shuffledet_core::{Cause, NodePlacement};
use shuffledet_detector::model::{Manifest, ModelDescription, OutputDecoder};
use shuffledet_infer::runner::{Signature, Tensors};
use shuffledet_infer::session::SessionOptions;
use shuffledet_infer::{
    Backend, Backoff, InferError, Opening, Provider, ProviderError, ProviderStatuses, Runner,
    Session, WhileBuilding,
};

pub const SHAPE: [usize; 4] = [1, 3, 352, 352];

/// How a session behaves.
#[derive(Clone)]
pub struct Behaviour {
    /// Of its outputs, which are right at 1.
    pub scale: f32,
    /// The run that fails, counted from 0, and all after it. Where there is more than one provider, run 0 is the self-test's.
    pub fails_at: usize,
    pub error: Cause,
}

pub const GOOD: Behaviour = Behaviour {
    scale: 1.0,
    fails_at: usize::MAX,
    error: Cause::Other,
};

type Make = dyn Fn(Provider, usize) -> Result<Behaviour, ProviderError> + Send + Sync;

/// Asks `make` for every session: which provider, and which of its sessions, counted from 0.
pub struct Scripted {
    make: Box<Make>,
    builds: Mutex<BTreeMap<&'static str, Vec<Instant>>>,
    /// Whether there is a cache to discard.
    pub cached: Mutex<bool>,
    pub approved: Mutex<Vec<Provider>>,
}

impl Scripted {
    pub fn new(
        make: impl Fn(Provider, usize) -> Result<Behaviour, ProviderError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            make: Box::new(make),
            builds: Mutex::default(),
            cached: Mutex::new(false),
            approved: Mutex::default(),
        })
    }

    /// When sessions on `provider` were asked for.
    pub fn builds(&self, provider: Provider) -> Vec<Instant> {
        let builds = self.builds.lock().unwrap();
        builds.get(provider.name()).cloned().unwrap_or_default()
    }
}

impl Backend for Scripted {
    fn build(&self, provider: Provider) -> Result<Box<dyn Runner>, ProviderError> {
        let nth = {
            let mut builds = self.builds.lock().unwrap();
            let times = builds.entry(provider.name()).or_default();
            times.push(Instant::now());
            times.len() - 1
        };
        let behaviour = (self.make)(provider, nth)?;
        Ok(Box::new(ScriptedRunner {
            behaviour,
            runs: 0,
            outputs: vec![vec![0.0; 85 * 22 * 22]],
            signature: Signature {
                inputs: vec![SHAPE.map(|side| side as i64).to_vec()],
                described: "scripted".to_owned(),
                outputs: vec![vec![1, 85, 22, 22]],
            },
            placement: vec![NodePlacement {
                provider: provider.name().to_owned(),
                nodes: 7,
                time_share: 1.0,
            }],
        }))
    }

    fn tolerance(&self, _: Provider) -> f64 {
        0.01
    }

    fn approve(&self, provider: Provider) {
        self.approved.lock().unwrap().push(provider);
    }

    fn discard(&self, _: Provider) -> bool {
        std::mem::take(&mut *self.cached.lock().unwrap())
    }
}

struct ScriptedRunner {
    behaviour: Behaviour,
    runs: usize,
    outputs: Vec<Vec<f32>>,
    signature: Signature,
    placement: Vec<NodePlacement>,
}

impl Runner for ScriptedRunner {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn placement(&self) -> &[NodePlacement] {
        &self.placement
    }

    fn run(&mut self, shape: [usize; 4], tensor: &[f32]) -> Result<Tensors<'_>, ProviderError> {
        assert_eq!(shape, SHAPE);
        self.runs += 1;
        if self.runs > self.behaviour.fails_at {
            return Err(refusal(self.behaviour.error));
        }
        // below every threshold: nothing is detected
        for (output, input) in self.outputs[0].iter_mut().zip(tensor) {
            *output = 0.01 * input * self.behaviour.scale;
        }
        Ok(Tensors::Plain(&self.outputs))
    }
}

pub fn refusal(cause: Cause) -> ProviderError {
    ProviderError::new(cause, "as the script says")
}

pub fn model() -> ModelDescription {
    let manifest = Manifest::shipped().unwrap();
    let model = manifest.model("fastestdet_352").unwrap();
    manifest.describe(model).unwrap()
}

/// Opens a session; failed providers are tried again after 20, 40 and then every 80 ms.
pub fn open(
    backend: &Arc<Scripted>,
    providers: &[Provider],
    strict: bool,
    while_building: WhileBuilding,
    provider_statuses: &Arc<ProviderStatuses>,
) -> Result<(Session, OutputDecoder), InferError> {
    let options = SessionOptions {
        providers: providers.to_vec(),
        strict,
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    let opening = Opening {
        backend: Arc::clone(backend) as Arc<dyn Backend>,
        model: "scripted",
        input: &model().input,
        options: &options,
        while_building,
        backoff: Backoff {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(80),
        },
        provider_statuses: Arc::clone(provider_statuses),
    };
    opening.open(|shapes| OutputDecoder::for_model(&model(), (352, 352), shapes))
}

/// A lenient session of its own.
pub fn session(
    backend: &Arc<Scripted>,
    providers: &[Provider],
    while_building: WhileBuilding,
) -> Session {
    open(backend, providers, false, while_building, &Arc::default())
        .unwrap()
        .0
}

/// One frame: its outputs' first value times 100, or why it failed.
pub fn frame(session: &mut Session) -> Result<f32, InferError> {
    session.between_frames();
    let outputs = session.run(SHAPE, &vec![1.0; SHAPE.iter().product()])?;
    Ok(100.0 * outputs.values()?[0][0])
}

/// Frames until the session runs on `provider`; how many failed on the way.
pub fn frames_until(session: &mut Session, provider: Provider) -> usize {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut failed = 0;
    loop {
        failed += usize::from(frame(session).is_err());
        if session.provider() == provider && fate(session, provider).used {
            return failed;
        }
        let statuses = session.statuses();
        assert!(
            Instant::now() < deadline,
            "never on {provider:?}: {statuses:?}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn fate(session: &Session, provider: Provider) -> ProviderStatus {
    let mut statuses = session.statuses().into_iter();
    statuses
        .find(|fate| fate.provider == provider.name())
        .unwrap()
}
