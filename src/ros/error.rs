//! Adds rcl's message to an error. r2r returns only a code, which is usually the same one.

#![expect(unsafe_code, reason = "rcl's C interface")]

use std::ffi::CStr;
use std::fmt;

use r2r_rcl as rcl;
use thiserror::Error;

/// A failed call of r2r.
#[derive(Debug, Clone, Error)]
pub struct RosError {
    code: r2r::Error,
    /// The message of rcl.
    said: Option<String>,
}

impl fmt::Display for RosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = &self.code;
        match &self.said {
            Some(said) => write!(f, "{said} ({code})"),
            None => write!(f, "{code}"),
        }
    }
}

/// Runs `call` and adds rcl's message to its error. rcl stores the message per thread, so the call
/// must run on this thread.
pub fn explained<T>(call: impl FnOnce() -> r2r::Result<T>) -> Result<T, RosError> {
    // an earlier failure may have left a message
    forget();
    call().map_err(|code| RosError { code, said: said() })
}

/// Takes rcl's message about the last failure on this thread, if there is one.
pub(super) fn said() -> Option<String> {
    // SAFETY: the state is this thread's own; the text is a copy that ends with NUL.
    let text = unsafe {
        if !rcl::rcutils_error_is_set() {
            return None;
        }
        let text = rcl::rcutils_get_error_string();
        CStr::from_ptr(text.str_.as_ptr())
            .to_string_lossy()
            .into_owned()
    };
    forget();
    // drops the position in rcl's source
    let text = text.split(", at ").next().unwrap_or_default().trim();
    (!text.is_empty()).then(|| text.replace('\n', " "))
}

fn forget() {
    // SAFETY: the state is this thread's own.
    unsafe { rcl::rcutils_reset_error() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_alone_said_nothing() {
        let message = c"no such enclave";
        let file = c"/build/rcl/context.c";
        let failed = explained(|| -> r2r::Result<()> {
            // SAFETY: both texts end with NUL and are copied.
            unsafe { rcl::rcutils_set_error_state(message.as_ptr(), file.as_ptr(), 7) };
            Err(r2r::Error::RCL_RET_ERROR)
        });
        let text = failed.unwrap_err().to_string();
        assert_eq!(text, "no such enclave (RCL_RET_ERROR)");
        let silent = explained(|| Err::<(), _>(r2r::Error::RCL_RET_NODE_INVALID));
        assert_eq!(silent.unwrap_err().to_string(), "RCL_RET_NODE_INVALID");
    }
}
