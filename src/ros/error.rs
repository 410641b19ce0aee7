//! What rcl says of an error. r2r gives a code alone, and most often the same one.

use std::ffi::CStr;
use std::fmt;

use r2r_rcl as rcl;
use thiserror::Error;

/// A call of r2r that failed.
#[derive(Debug, Clone, Error)]
pub struct RosError {
    code: r2r::Error,
    /// In rcl's words.
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

/// Runs `call`, and keeps what rcl says of its failure. rcl keeps that for the thread on which it failed: the call must be
/// made here, and not on another thread.
pub fn explained<T>(call: impl FnOnce() -> r2r::Result<T>) -> Result<T, RosError> {
    // what r2r left there is of another failure
    forget();
    call().map_err(|code| RosError { code, said: said() })
}

/// What rcl says of the last failure on this thread, if it says anything. It is told once.
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
    // where in rcl's source it was found helps nobody here
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
