//! The faults of one camera over time.

use crate::{Fault, Faults, Meter, Settings, View};

/// A tear is found in a third to four fifths of the torn frames and in at most 4 % of others, so it
/// is told when this share of the frames has one.
const TORN_SHARE: f64 = 0.25;

/// The least time between two judgements, in seconds.
const PERIOD_S: f64 = 0.09;

/// Follows the pictures of one camera.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// The latest view that was judged, with its stamp.
    latest: Option<(i64, View)>,
    meter: Meter,
    /// The share of the time that each fault was there, the latest time counting most, from 0 to 1.
    shares: [f64; Fault::ALL.len()],
    faults: Faults,
}

impl Watch {
    /// Takes the view of the next frame, whose stamp is `stamp_ns`. A fault is told once it was there
    /// for `hold_s`, and no longer once it was gone for as long. Stamps that go back start over; an
    /// empty view changes nothing. Judges at most every 90 ms of the stamps.
    pub fn update(&mut self, stamp_ns: i64, view: &View, settings: &Settings) {
        if view.is_empty() {
            return;
        }
        let Some((before_ns, before)) = &mut self.latest else {
            self.latest = Some((stamp_ns, view.clone()));
            return;
        };
        let elapsed_s = stamp_ns.saturating_sub(*before_ns) as f64 / 1e9;
        if (0.0..PERIOD_S.min(0.1 * settings.hold_s)).contains(&elapsed_s) {
            return;
        }
        let difference = view.difference(before);
        *before_ns = stamp_ns;
        before.clone_from(view);
        if elapsed_s < 0.0 {
            *self = Self {
                latest: self.latest.take(),
                ..Self::default()
            };
            return;
        }
        // a frame after a pause decides nothing alone
        let weight = 1.0 - (-elapsed_s.min(0.25 * settings.hold_s) / settings.hold_s).exp();
        let mut present = self.meter.measure(view).faults(settings);
        let is_frozen =
            difference.is_some_and(|difference| f64::from(difference) < settings.frozen_below);
        present.set(Fault::Frozen, is_frozen);
        for (fault, share) in Fault::ALL.into_iter().zip(&mut self.shares) {
            // the same picture again is no further evidence
            if fault == Fault::Torn && is_frozen {
                continue;
            }
            let target = f64::from(u8::from(present.contains(fault)));
            *share += weight * (target - *share);
            let (tell, forget) = limits(fault);
            if *share >= tell {
                self.faults.set(fault, true);
            } else if *share <= forget {
                self.faults.set(fault, false);
            }
        }
    }

    /// Returns the faults that hold.
    pub fn faults(&self) -> Faults {
        self.faults
    }
}

/// Returns the shares from which on a fault is told, and no longer told. A share that starts from
/// nothing reaches the first after `hold_s`; one that starts from 1 falls to the second as soon.
fn limits(fault: Fault) -> (f64, f64) {
    let after_hold = (-1.0f64).exp();
    match fault {
        Fault::Torn => (TORN_SHARE, TORN_SHARE / 3.0),
        _ => (1.0 - after_hold, after_hold),
    }
}
