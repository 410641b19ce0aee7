//! Results as terminal tables and HTML.
