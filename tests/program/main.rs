//! The programs from end to end: what they print, write and answer.

mod built_in;
mod classify;
mod commands;
mod compare;
mod cut;
mod describe;
mod doctor;
mod eval;
mod eval_tracks;
mod fleet;
mod import;
mod label;
mod launch;
mod low_limits;
mod ncnn;
mod pictures;
mod printable;
mod replay;
mod report_html;
mod track;
mod truth;
mod videos;
