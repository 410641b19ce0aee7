//! The thread that makes the page's pictures. The run only copies a message for it, and only when the
//! page wants a picture; of each camera the newest message waits.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use shuffledet_detector::pipeline::worker::decode;
use shuffledet_detector::pipeline::{Frame, Transport};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, DecodeError, ImageDecoder, ImageLimits, draw};
use shuffledet_view::{Hub, Scene, Shot};

/// The JPEG quality of the pictures.
const QUALITY: i32 = 75;

/// A message that becomes a picture.
struct Exposed {
    message: Vec<u8>,
    transport: Transport,
    limits: ImageLimits,
    scene: Scene,
}

#[derive(Default)]
struct Waiting {
    /// By camera.
    exposed: Vec<Option<Exposed>>,
    is_over: bool,
}

struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // a poisoned lock still holds whole messages
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next message in turn after `camera`; `None` at the end.
    fn next(&self, camera: usize) -> Option<(usize, Exposed)> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_over {
                return None;
            }
            let count = waiting.exposed.len();
            let found = (1..=count)
                .map(|offset| (camera + offset) % count)
                .find_map(|at| Some((at, waiting.exposed[at].take()?)));
            if found.is_some() {
                return found;
            }
            let woken = self.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The thread's handle. Dropping it ends the thread.
pub(super) struct PictureThread {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl PictureThread {
    /// Starts the thread for so many cameras, with pictures of at most `max_width` pixels.
    pub fn start(hub: Arc<Hub>, cameras: usize, max_width: u32) -> io::Result<Self> {
        let mut waiting = Waiting::default();
        waiting.exposed.resize_with(cameras, || None);
        let queue = Arc::new(Queue {
            waiting: Mutex::new(waiting),
            changed: Condvar::new(),
        });
        let mut encoder = JpegEncoder::new(QUALITY).map_err(io::Error::other)?;
        let (taken, mut decoder) = (Arc::clone(&queue), ImageDecoder::new());
        let work = move || {
            let mut last = 0;
            while let Some((camera, exposed)) = taken.next(last) {
                last = camera;
                match picture(&mut decoder, &mut encoder, &exposed, max_width) {
                    Ok(jpeg) => hub.show(
                        camera,
                        Shot {
                            jpeg,
                            scene: exposed.scene,
                        },
                    ),
                    Err(error) => tracing::debug!("the page has no picture: {error}"),
                }
            }
        };
        let thread = thread::Builder::new().name("pictures".into()).spawn(work)?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// Takes a copy of a frame in place of the camera's last one, if that still waits.
    pub fn expose(&self, frame: &Frame, limits: ImageLimits, scene: Scene) {
        let exposed = Exposed {
            message: frame.message.clone(),
            transport: frame.transport,
            limits,
            scene,
        };
        let mut waiting = self.queue.lock();
        let replaced = waiting.exposed.get_mut(frame.camera);
        let replaced = replaced.map(|slot| slot.replace(exposed));
        drop(waiting);
        self.queue.changed.notify_one();
        // freed without the lock
        drop(replaced);
    }
}

impl Drop for PictureThread {
    fn drop(&mut self) {
        self.queue.lock().is_over = true;
        self.queue.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(
                "the thread of the page's pictures panicked; this is an error in shuffledet, please report it"
            );
        }
    }
}

fn picture(
    decoder: &mut ImageDecoder,
    encoder: &mut JpegEncoder,
    exposed: &Exposed,
    max_width: u32,
) -> Result<Vec<u8>, String> {
    decoder.set_limits(exposed.limits);
    let image = decode(decoder, exposed.transport, &exposed.message);
    let image = image.map_err(|failure| failure.message.into_owned())?;
    let shrunk = draw::shrunk(&image, max_width).map_err(|error| error.to_string())?;
    let shrunk = BgrView::from_mat(&shrunk).ok_or("OpenCV gave no BGR picture")?;
    let jpeg = encoder.encode(&shrunk);
    jpeg.map_err(|error| DecodeError::from(error).to_string())
}
