//! Lists every topic of the system. r2r's list reads out of bounds if a topic has two types, which
//! is a case that the doctor must diagnose. So this module asks rcl, through a node of its own that
//! `ros2 node list` hides.

#![expect(unsafe_code, reason = "rcl's C interface")]

use std::ffi::{CStr, CString, c_int};
use std::ptr;
use std::thread;
use std::time::Duration;

use r2r_rcl as rcl;
use thiserror::Error;

use super::error::said;

/// Time for discovery: a new node does not know the topics of others at once.
const DISCOVERY: Duration = Duration::from_millis(500);
/// A leading underscore hides a node.
const NODE: &str = "_shuffledet_graph";

/// A failed call of rcl.
#[derive(Debug, Error)]
#[error("rcl cannot list the topics: {step}: {}", said.as_deref().unwrap_or("no reason given"))]
pub struct GraphError {
    step: &'static str,
    /// The message of rcl.
    said: Option<String>,
}

/// A topic's full name and all its types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    pub types: Vec<String>,
}

/// Discovers topics while it exists: a context and a node of rcl, boxed because rcl keeps their
/// addresses.
pub struct Listener {
    context: Box<rcl::rcl_context_t>,
    node: Box<rcl::rcl_node_t>,
}

fn check(step: &'static str, code: i32) -> Result<(), GraphError> {
    if code == rcl::RCL_RET_OK as i32 {
        Ok(())
    } else {
        Err(GraphError { step, said: said() })
    }
}

impl Listener {
    /// Starts to listen in `enclave` and waits half a second for discovery. With ROS security, a
    /// node without an enclave discovers nobody.
    pub fn start(enclave: Option<&str>) -> Result<Self, GraphError> {
        let listener = Self::new(enclave)?;
        thread::sleep(DISCOVERY);
        Ok(listener)
    }

    fn new(enclave: Option<&str>) -> Result<Self, GraphError> {
        let arguments = enclave.map(|enclave| ["node", "--ros-args", "--enclave", enclave]);
        // the command line consisted of C strings, so it has no NUL
        let arguments = arguments.into_iter().flatten().map(CString::new);
        let arguments: Vec<_> = arguments.map(Result::unwrap_or_default).collect();
        let pointers: Vec<_> = arguments.iter().map(|text| text.as_ptr()).collect();
        // neither text holds a NUL
        let (name, namespace) = (CString::new(NODE).unwrap_or_default(), CString::default());
        // SAFETY: each structure is zero-initialised by rcl's own function and initialised before it is used; the boxes
        // do not move while rcl holds their addresses; what was initialised is finalised in `drop`, the options here.
        unsafe {
            let mut this = Self {
                context: Box::new(rcl::rcl_get_zero_initialized_context()),
                node: Box::new(rcl::rcl_get_zero_initialized_node()),
            };
            let mut options = rcl::rcl_get_zero_initialized_init_options();
            let allocator = rcl::rcutils_get_default_allocator();
            check(
                "rcl_init_options_init",
                rcl::rcl_init_options_init(&mut options, allocator),
            )?;
            let started = rcl::rcl_init(
                // none or four
                pointers.len() as c_int,
                if pointers.is_empty() {
                    ptr::null()
                } else {
                    pointers.as_ptr()
                },
                &options,
                this.context.as_mut(),
            );
            rcl::rcl_init_options_fini(&mut options);
            check("rcl_init", started)?;
            let mut options = rcl::rcl_node_get_default_options();
            options.enable_rosout = false;
            let made = rcl::rcl_node_init(
                this.node.as_mut(),
                name.as_ptr(),
                namespace.as_ptr(),
                this.context.as_mut(),
                &options,
            );
            check("rcl_node_init", made)?;
            Ok(this)
        }
    }

    /// Returns the topics of the whole system that are discovered so far.
    pub fn topics(&self) -> Result<Vec<Topic>, GraphError> {
        // SAFETY: the node is initialised; rcl fills `found` with arrays of the sizes that it states, of texts that end
        // with NUL and live until `rmw_names_and_types_fini`, after which none is used.
        unsafe {
            let mut allocator = rcl::rcutils_get_default_allocator();
            let mut found = rcl::rmw_get_zero_initialized_names_and_types();
            let listed = rcl::rcl_get_topic_names_and_types(
                self.node.as_ref(),
                &mut allocator,
                false,
                &mut found,
            );
            check("rcl_get_topic_names_and_types", listed)?;
            let text =
                |text: *const std::ffi::c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
            let topics = (0..found.names.size).map(|i| {
                let types = *found.types.add(i);
                Topic {
                    name: text(*found.names.data.add(i)),
                    types: (0..types.size).map(|k| text(*types.data.add(k))).collect(),
                }
            });
            let topics = topics.collect();
            rcl::rmw_names_and_types_fini(&mut found);
            Ok(topics)
        }
    }
}

// SAFETY: what is behind the boxes is rcl's, which is not bound to a thread; `&self` is not shared: there is no `Sync`.
unsafe impl Send for Listener {}

impl Drop for Listener {
    fn drop(&mut self) {
        // SAFETY: rcl takes zero-initialised structures in these, too, so that a half-made listener is no exception.
        unsafe {
            rcl::rcl_node_fini(self.node.as_mut());
            rcl::rcl_shutdown(self.context.as_mut());
            rcl::rcl_context_fini(self.context.as_mut());
        }
    }
}
