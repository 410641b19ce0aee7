//! Checks the command line as rcl reads it, before r2r does: r2r panics if rcl rejects an argument,
//! and ignores ROS arguments that rcl does not know.

#![expect(unsafe_code, reason = "rcl's C interface")]

use std::ffi::{CString, OsString, c_char, c_int};

use anyhow::{anyhow, bail};
use clap::Parser;
use r2r_rcl as rcl;

use super::error::said;

/// Detects objects in the images of ROS 2 topics, with ShuffleNet V2 detectors.
#[derive(Debug, Parser)]
#[command(
    name = "shuffledet_node",
    version,
    max_term_width = 100,
    override_usage = "shuffledet_node [--help | --version] [--ros-args ...]",
    after_help = "\
ROS arguments follow --ros-args:
  -r image_raw:=/front/image_raw      remap a topic; -r __node:=NAME and -r __ns:=/NAMESPACE
  -p model.name:=road                 set a parameter
  --params-file FILE.yaml             read parameters from a file
  --log-level debug                   set the log level: debug, info, warn, error, fatal
  --enclave, --log-file-name, --disable-stdout-logs, --disable-rosout-logs, ...

`ros2 launch shuffledet shuffledet.launch.py --show-args` lists the arguments of the launch file.
`ros2 param describe /shuffledet NAME` explains a parameter of a running node."
)]
struct OwnArguments {}

/// Checks the arguments that ROS does not take. Fails with clap's text if there is one, or if help
/// or the version is asked for.
pub fn check_own(others: &[String]) -> Result<(), clap::Error> {
    let program = std::iter::once("shuffledet_node");
    OwnArguments::try_parse_from(program.chain(others.iter().map(String::as_str))).map(|_| ())
}

/// Converts the program's arguments to text.
pub fn collect(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Vec<String>> {
    arguments
        .into_iter()
        .map(|argument| {
            let wrong = |argument| anyhow!("argument {argument:?}: expected UTF-8 text");
            argument.into_string().map_err(wrong)
        })
        .collect()
}

/// Fails if rcl cannot read `arguments` (with the program's name first) or does not know one of the
/// ROS arguments. Returns the other arguments.
pub fn check(arguments: &[String]) -> anyhow::Result<Vec<String>> {
    let owned: Vec<_> = arguments
        .iter()
        .map(|argument| CString::new(argument.as_str()))
        .collect::<Result<_, _>>()?;
    let pointers: Vec<*const c_char> = owned.iter().map(|argument| argument.as_ptr()).collect();
    // SAFETY: `pointers` has as many texts as it is said to have, each ends with NUL and outlives the call, after which
    // rcl holds copies; what was parsed is finalised below, on every way.
    let (code, parsed) = unsafe {
        let mut parsed = rcl::rcl_get_zero_initialized_arguments();
        let code = rcl::rcl_parse_arguments(
            c_int::try_from(pointers.len())?,
            pointers.as_ptr(),
            rcl::rcutils_get_default_allocator(),
            &mut parsed,
        );
        (code, parsed)
    };
    if code != rcl::RCL_RET_OK as i32 {
        // rcl has already released the parsed arguments
        let said = said().unwrap_or_else(|| format!("rcl returned {code}"));
        bail!("ROS arguments: {said}");
    }
    let mut parsed = ParsedArguments(parsed);
    let unknown = parsed.unparsed(
        rcl::rcl_arguments_get_count_unparsed_ros,
        rcl::rcl_arguments_get_unparsed_ros,
    );
    let others = parsed.unparsed(
        rcl::rcl_arguments_get_count_unparsed,
        rcl::rcl_arguments_get_unparsed,
    );
    let named = |indices: Vec<usize>| {
        indices
            .into_iter()
            .filter_map(|index| arguments.get(index).cloned())
            .collect::<Vec<_>>()
    };
    let unknown = named(unknown);
    if !unknown.is_empty() {
        bail!(
            "ROS arguments: this ROS 2 does not know {}; expected -r, -p, --params-file, --log-level, --enclave, \
             --disable-rosout-logs or another ROS argument",
            unknown.join(" ")
        );
    }
    // the first is the program's name
    Ok(named(
        others.into_iter().filter(|&index| index > 0).collect(),
    ))
}

/// The arguments that rcl parsed.
struct ParsedArguments(rcl::rcl_arguments_t);

type Count = unsafe extern "C" fn(*const rcl::rcl_arguments_t) -> c_int;
type Indices = unsafe extern "C" fn(
    *const rcl::rcl_arguments_t,
    rcl::rcl_allocator_t,
    *mut *mut c_int,
) -> rcl::rcl_ret_t;

impl ParsedArguments {
    /// Returns the indices of the arguments that rcl did not parse.
    fn unparsed(&mut self, count: Count, indices: Indices) -> Vec<usize> {
        // SAFETY: the arguments are parsed; rcl gives an array of as many numbers as it counts, or none, for us to free
        // with the allocator that it was given.
        unsafe {
            let count = usize::try_from(count(&self.0)).unwrap_or_default();
            let allocator = rcl::rcutils_get_default_allocator();
            let mut found: *mut c_int = std::ptr::null_mut();
            if count == 0
                || indices(&self.0, allocator, &mut found) != rcl::RCL_RET_OK as i32
                || found.is_null()
            {
                return Vec::new();
            }
            let list = std::slice::from_raw_parts(found, count);
            let list = list.iter().filter_map(|&index| usize::try_from(index).ok());
            let list = list.collect();
            if let Some(free) = allocator.deallocate {
                free(found.cast(), allocator.state);
            }
            list
        }
    }
}

impl Drop for ParsedArguments {
    fn drop(&mut self) {
        // SAFETY: the arguments are parsed, and finalised once.
        unsafe { rcl::rcl_arguments_fini(&mut self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<Vec<String>, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        check(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn what_rcl_knows_passes() {
        let line = "node --ros-args -r __node:=eye -p a:=1 --log-level rcl:=debug --disable-rosout-logs \
                    --enclave /a -- more --ros-args --disable-stdout-logs";
        assert_eq!(checked(line), Ok(vec!["more".to_owned()]));
        assert_eq!(checked("node"), Ok(Vec::new()));
    }

    #[test]
    fn arguments_outside_ros_args_are_help_or_a_mistake() {
        let answer = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            check_own(&words).map_err(|error| (error.use_stderr(), error.to_string()))
        };
        assert_eq!(answer(&[]), Ok(()));
        for (words, wrong, says) in [
            (["--help"], false, "--ros-args"),
            (["-h"], false, "-p model.name"),
            (["--version"], false, env!("CARGO_PKG_VERSION")),
            (["--params-file"], true, "'--params-file'"),
            (["image_raw:=/front"], true, "'image_raw:=/front'"),
        ] {
            let (is_error, text) = answer(&words).unwrap_err();
            assert!(
                is_error == wrong && text.contains(says),
                "{words:?}: {text}"
            );
        }
    }

    #[test]
    fn an_unknown_ros_argument_was_passed_over() {
        let error = checked("node --ros-args --log-levl debug").unwrap_err();
        assert!(error.contains("does not know --log-levl debug"), "{error}");
    }

    #[test]
    fn what_rcl_refuses_is_in_its_words() {
        let error = checked("node --ros-args -p model.name").unwrap_err();
        assert!(error.starts_with("ROS arguments: "), "{error}");
        assert!(error.contains("model.name"), "{error}");
    }

    #[test]
    fn an_argument_that_is_no_text_panicked() {
        use std::os::unix::ffi::OsStringExt;
        let wrong = OsString::from_vec(vec![b'a', 0xff]);
        let error = collect(["node".into(), wrong]).unwrap_err().to_string();
        assert!(
            error.contains("\\xFF") && error.contains("UTF-8"),
            "{error}"
        );
    }
}
