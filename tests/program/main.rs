//! The programs from end to end: what they print, write and answer.

mod commands;
mod compare;
mod describe;
mod doctor;
mod eval;
mod fleet;
mod import;
mod label;
mod launch;
mod ncnn;
mod pictures;
mod replay;
mod report_html;
mod track;
mod truth;
mod videos;
