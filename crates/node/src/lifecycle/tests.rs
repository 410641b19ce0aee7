use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::*;

/// A copy of design.ros2.org's figure: state, number, label, transition state, state after
/// success.
const DESIGN: [(&str, u8, &str, &str, &str); 7] = [
    ("unconfigured", 1, "configure", "configuring", "inactive"),
    ("inactive", 2, "cleanup", "cleaningup", "unconfigured"),
    ("inactive", 3, "activate", "activating", "active"),
    ("active", 4, "deactivate", "deactivating", "inactive"),
    ("unconfigured", 5, "shutdown", "shuttingdown", "finalized"),
    ("inactive", 6, "shutdown", "shuttingdown", "finalized"),
    ("active", 7, "shutdown", "shuttingdown", "finalized"),
];

/// Returns the given results in order, then success.
#[derive(Default)]
struct ScriptedNode {
    outcomes: VecDeque<CallbackResult>,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl ScriptedNode {
    fn call(&mut self, name: &'static str) -> CallbackResult {
        self.calls.lock().unwrap().push(name);
        self.outcomes.pop_front().unwrap_or(CallbackResult::Success)
    }
}

impl Managed for ScriptedNode {
    fn configure(&mut self) -> CallbackResult {
        self.call("configuring")
    }
    fn activate(&mut self) -> CallbackResult {
        self.call("activating")
    }
    fn deactivate(&mut self) -> CallbackResult {
        self.call("deactivating")
    }
    fn cleanup(&mut self) -> CallbackResult {
        self.call("cleaningup")
    }
    fn shutdown(&mut self) -> CallbackResult {
        self.call("shuttingdown")
    }
    fn on_error(&mut self) -> CallbackResult {
        self.call("errorprocessing")
    }
}

type Steps = Arc<Mutex<Vec<(u8, &'static str, &'static str)>>>;

/// A lifecycle whose callbacks give `outcomes`, with what they are called for and the steps that it
/// reports.
fn scripted(
    outcomes: impl Into<VecDeque<CallbackResult>>,
) -> (Lifecycle, Arc<Mutex<Vec<&'static str>>>, Steps) {
    let calls = Arc::default();
    let lifecycle = Lifecycle::new(ScriptedNode {
        outcomes: outcomes.into(),
        calls: Arc::clone(&calls),
    });
    let steps = Steps::default();
    let reported = Arc::clone(&steps);
    lifecycle.observe(move |t| {
        reported
            .lock()
            .unwrap()
            .push((t.id, t.start.label(), t.goal.label()));
    });
    (lifecycle, calls, steps)
}

/// Brings a fresh lifecycle to the state of rest `state`.
fn bring_to(lifecycle: &Lifecycle, state: &str) {
    let path: &[u8] = match state {
        "unconfigured" => &[],
        "inactive" => &[1],
        "active" => &[1, 3],
        "finalized" => &[5],
        _ => panic!("{state} is no state of rest"),
    };
    for id in path {
        lifecycle.change(Request::Id(*id)).unwrap();
    }
}

/// Every request there is, and some that there are not.
fn requests() -> Vec<Request<'static>> {
    let ids = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 97, 255].map(Request::Id);
    let labels = [
        "configure",
        "cleanup",
        "activate",
        "deactivate",
        "shutdown",
        "destroy",
        "transition_success",
        "",
    ]
    .map(Request::Label);
    ids.into_iter().chain(labels).collect()
}

#[test]
fn every_order_of_four_requests_is_followed_or_refused_as_designed() {
    let requests = requests();
    let count = requests.len();
    for order in 0..count.pow(4) {
        let (lifecycle, calls, steps) = scripted([]);
        let mut state = "unconfigured";
        let mut expected_calls = Vec::new();
        let mut expected_steps = Vec::new();
        for position in 0..4 {
            let request = requests[order / count.pow(position) % count];
            let designed = DESIGN.iter().find(|(start, id, label, ..)| {
                *start == state
                    && match request {
                        Request::Id(i) => i == *id,
                        Request::Label(l) => l == *label,
                    }
            });
            let changed = lifecycle.change(request);
            match designed {
                Some((start, _, _, through, goal)) => {
                    assert_eq!(changed, Ok(()), "{request} in {state}");
                    expected_calls.push(*through);
                    expected_steps.extend([(*start, *through), (*through, *goal)]);
                    state = goal;
                }
                None => {
                    let refused = changed.unwrap_err();
                    assert!(
                        matches!(&refused, ChangeError::Refused { requested, state: s }
                            if *requested == request.to_string() && s.label() == state),
                        "{request} in {state}: {refused}"
                    );
                }
            }
            assert_eq!(lifecycle.state().label(), state);
        }
        assert_eq!(*calls.lock().unwrap(), expected_calls);
        let steps: Vec<_> = steps.lock().unwrap().iter().map(|s| (s.1, s.2)).collect();
        assert_eq!(steps, expected_steps);
    }
}

/// The state that each callback's failure leads to, and the number of its success; failure and
/// error follow it.
const RESULTS: [(u8, &str, u8); 7] = [
    (1, "unconfigured", 10),
    (2, "inactive", 20),
    (3, "inactive", 30),
    (4, "active", 40),
    (5, "finalized", 50),
    (6, "finalized", 50),
    (7, "finalized", 50),
];

/// Asks for a transition whose callback gives `outcome`, and its error handler `on_error`.
fn attempt(
    id: u8,
    outcome: CallbackResult,
    on_error: CallbackResult,
) -> (Result<(), ChangeError>, Lifecycle, Vec<(u8, &'static str)>) {
    let (start, ..) = DESIGN.iter().find(|d| d.1 == id).unwrap();
    let before = match *start {
        "active" => 2,
        "inactive" => 1,
        _ => 0,
    };
    let mut outcomes = vec![CallbackResult::Success; before];
    outcomes.extend([outcome, on_error]);
    let (lifecycle, _, steps) = scripted(outcomes);
    bring_to(&lifecycle, start);
    steps.lock().unwrap().clear();
    let changed = lifecycle.change(Request::Id(id));
    let steps = steps.lock().unwrap().iter().map(|s| (s.0, s.2)).collect();
    (changed, lifecycle, steps)
}

#[test]
fn a_failure_goes_back() {
    for (id, back, success) in RESULTS {
        let (_, _, _, through, _) = DESIGN.iter().find(|d| d.1 == id).unwrap();
        let failure = CallbackResult::Failure("no such file".to_owned());
        let (changed, lifecycle, steps) = attempt(id, failure, CallbackResult::Success);
        assert!(
            matches!(&changed, Err(ChangeError::Failed { transition, reason, state })
                if transition.id == id && reason == "no such file" && state.label() == back),
            "{changed:?}"
        );
        assert_eq!(lifecycle.state().label(), back);
        let expected = [(id, *through), (success + 1, back)];
        assert_eq!(steps, expected);
    }
}

#[test]
fn an_error_is_processed() {
    let error = CallbackResult::Error("out of memory".to_owned());
    let outcomes = [
        (CallbackResult::Success, 60, "unconfigured", "out of memory"),
        (
            CallbackResult::Failure("again".to_owned()),
            61,
            "finalized",
            "out of memory; then the error handling failed: again",
        ),
        (
            CallbackResult::Error("again".to_owned()),
            62,
            "finalized",
            "out of memory; then the error handling failed: again",
        ),
    ];
    for (id, _, success) in RESULTS {
        let (_, _, _, through, _) = DESIGN.iter().find(|d| d.1 == id).unwrap();
        for (on_error, last, goal, expected_reason) in &outcomes {
            let (changed, lifecycle, steps) = attempt(id, error.clone(), on_error.clone());
            assert!(
                matches!(&changed, Err(ChangeError::Failed { transition, reason, state })
                    if transition.id == id && reason == expected_reason && state.label() == *goal),
                "{changed:?}"
            );
            assert_eq!(lifecycle.state().label(), *goal);
            let expected = [
                (id, *through),
                (success + 2, "errorprocessing"),
                (*last, *goal),
            ];
            assert_eq!(steps, expected);
        }
    }
}

/// Waits in `configure` for a word, then panics.
struct SlowThenBroken(mpsc::Receiver<()>);

impl Managed for SlowThenBroken {
    fn configure(&mut self) -> CallbackResult {
        self.0.recv_timeout(Duration::from_secs(10)).unwrap();
        panic!("the library aborted");
    }
    fn activate(&mut self) -> CallbackResult {
        CallbackResult::Success
    }
    fn deactivate(&mut self) -> CallbackResult {
        CallbackResult::Success
    }
    fn cleanup(&mut self) -> CallbackResult {
        CallbackResult::Success
    }
    fn shutdown(&mut self) -> CallbackResult {
        CallbackResult::Success
    }
    fn on_error(&mut self) -> CallbackResult {
        CallbackResult::Success
    }
}

#[test]
fn a_change_under_way_shows_and_keeps_others_out_and_a_panic_ends_it() {
    let (go_on, word) = mpsc::channel();
    let lifecycle = Lifecycle::new(SlowThenBroken(word));
    let (entered, seen) = mpsc::channel();
    lifecycle.observe(move |t| entered.send(t.goal).unwrap());
    thread::scope(|scope| {
        let change = scope.spawn(|| lifecycle.change(Request::Label("configure")));
        assert_eq!(
            seen.recv_timeout(Duration::from_secs(10)),
            Ok(State::Configuring)
        );
        assert_eq!(lifecycle.state(), State::Configuring);
        for request in requests() {
            let refused = lifecycle.change(request).unwrap_err();
            assert!(
                refused.to_string().ends_with(
                    "in state configuring; expected no request until the current change ends"
                ),
                "{refused}"
            );
        }
        go_on.send(()).unwrap();
        let failed = change.join().unwrap().unwrap_err();
        assert_eq!(
            failed.to_string(),
            "transition configure (1) failed: panicked: the library aborted; the state is now unconfigured"
        );
    });
    assert_eq!(lifecycle.state(), State::Unconfigured);
}

#[test]
fn a_refusal_says_what_is_legal() {
    let refused = |state: &str, request| {
        let (lifecycle, ..) = scripted([]);
        bring_to(&lifecycle, state);
        lifecycle.change(request).unwrap_err().to_string()
    };
    assert_eq!(
        refused("unconfigured", Request::Label("activate")),
        "transition \"activate\" is not possible in state unconfigured; expected configure (1) or shutdown (5)"
    );
    assert_eq!(
        refused("finalized", Request::Id(1)),
        "transition 1 is not possible in state finalized; expected no transition, because this state is final"
    );
}

#[test]
fn numbers_and_labels_are_those_of_the_messages() {
    let states: Vec<(u8, &str)> = State::ALL.iter().map(|s| (s.id(), s.label())).collect();
    let expected = [
        (1, "unconfigured"),
        (2, "inactive"),
        (3, "active"),
        (4, "finalized"),
        (10, "configuring"),
        (11, "cleaningup"),
        (12, "shuttingdown"),
        (13, "activating"),
        (14, "deactivating"),
        (15, "errorprocessing"),
    ];
    assert_eq!(states, expected);
    let public: Vec<_> = TRANSITIONS.iter().filter(|t| t.is_public()).collect();
    assert_eq!(public.len(), DESIGN.len());
    for (start, id, label, through, _) in DESIGN {
        let transition = public.iter().find(|t| t.id == id).unwrap();
        assert_eq!(
            (
                transition.start.label(),
                transition.label,
                transition.goal.label()
            ),
            (start, label, through)
        );
    }
}
