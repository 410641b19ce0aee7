//! The thread that listens, with the limits of its connections.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio_io_timeout::TimeoutStream;

use crate::control::Control;
use crate::hosts::Hosts;
use crate::hub::Hub;
use crate::routes::{PageLimits, routes};

/// Where the page is served.
#[derive(Debug, Clone)]
pub struct Place {
    pub address: IpAddr,
    /// 0: a free one.
    pub port: u16,
    /// Further names under which it may be opened.
    pub allowed_hosts: Vec<String>,
}

/// What a viewer may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Further connections are closed at once.
    pub connections: usize,
    /// The time for the head of a request, and for which a connection may be idle before it.
    pub head: Duration,
    /// The time for which a viewer may take nothing of what it is sent.
    pub write: Duration,
    /// The time that a viewer waits for the next picture before it gets the counts alone.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(10),
            write: Duration::from_secs(10),
            wait: Duration::from_secs(1),
        }
    }
}

/// The head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// The body of a request, in bytes.
const BODY_BYTES: usize = 64 * 1024;

/// Why the page cannot be served.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error(
        "{option}: cannot serve the page at {at}: another program has this port; choose another one, or end that program"
    )]
    Taken { option: String, at: SocketAddr },
    #[error(
        "{option}: cannot serve the page at {at}: {source}; expected an address of this machine and a port from 1024 to 65535 that is free"
    )]
    Listen {
        option: String,
        at: SocketAddr,
        source: io::Error,
    },
    #[error("cannot start the thread of the page: {0}")]
    Thread(io::Error),
}

/// The page while it is served. Dropping it ends all connections.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves the page of `hub` from a thread of its own. `option` names in an error where the place
    /// comes from.
    ///
    /// # Errors
    /// The port is taken, the address is not of this machine, or no thread can be started.
    pub fn start(
        place: &Place,
        limits: Limits,
        hub: Arc<Hub>,
        control: Arc<dyn Control>,
        option: &str,
    ) -> Result<Self, ServeError> {
        let at = SocketAddr::new(place.address, place.port);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::Taken {
                option: option.to_owned(),
                at,
            },
            _ => ServeError::Listen {
                option: option.to_owned(),
                at,
                source,
            },
        };
        let listener = TcpListener::bind(at).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .build();
        let runtime = runtime.map_err(ServeError::Thread)?;
        let page_limits = PageLimits {
            wait: limits.wait,
            answer: limits.wait + limits.head,
            body: BODY_BYTES,
        };
        let hosts = Hosts::new(address, &place.allowed_hosts);
        let router = routes(hub, control, hosts, page_limits, run_number());
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, router, limits) => {}
                    // an error: whoever would stop the server is gone
                    _ = stopped => {}
                }
            });
            end(runtime);
        };
        let thread = thread::Builder::new().name("view".into()).spawn(serve);
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread.map_err(ServeError::Thread)?),
        })
    }

    /// Returns where the page listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns an address for a browser on this machine.
    pub fn url(&self) -> String {
        let port = self.address.port();
        match self.address.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => format!("http://localhost:{port}/"),
            IpAddr::V6(ip) => format!("http://[{ip}]:{port}/"),
            IpAddr::V4(ip) => format!("http://{ip}:{port}/"),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // fails if the thread has ended
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(
                "the page's thread panicked; this is an error in shuffledet, please report it"
            );
        }
    }
}

/// Ends the connections without waiting for an order that is being obeyed.
fn end(runtime: Runtime) {
    runtime.shutdown_timeout(Duration::from_millis(200));
}

/// Returns a number that the page of another run does not have; JavaScript holds it exactly.
fn run_number() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .map_or(1, |since| since.as_micros() as u64 % (1 << 53))
        .max(1)
}

async fn accept(listener: TcpListener, router: Router, limits: Limits) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("the page is not served: {error}");
            return;
        }
    };
    let free = Arc::new(Semaphore::new(limits.connections));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
                    // dropping closes it
                    continue;
                };
                let router = router.clone();
                tokio::spawn(async move {
                    answer(stream, router, limits).await;
                    drop(place);
                });
            }
            // out of file descriptors, or a connection that is gone already
            Err(error) => {
                tracing::debug!("the page: a connection was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers the requests of a connection until it ends, breaks, or is idle or slow for too long.
async fn answer(stream: TcpStream, router: Router, limits: Limits) {
    // a picture is sent whole; the option only saves time
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES)
        .max_headers(64)
        .half_close(false)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            TowerToHyperService::new(router),
        );
    if let Err(error) = connection.await {
        tracing::debug!("the page: a connection ended: {error}");
    }
}

#[cfg(test)]
mod tests;
