//! A camera that sends JPEG pictures over RTSP to whoever knows its user and password: RTSP 1.0 (RFC 2326) with RTP in
//! the same connection, and JPEG in RTP (RFC 2435).

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use opencv::core::{CV_8UC3, Mat, Scalar, Vector};
use opencv::imgcodecs::imencode;
use opencv::prelude::*;

pub const WIDTH: i32 = 320;
pub const HEIGHT: i32 = 240;

const RATE_HZ: u32 = 25;
/// Bytes of a picture in one packet.
const FRAGMENT: usize = 1200;

/// Starts a camera on this machine, for as long as the process lives. Returns its port. `authorization` is the header that
/// it wants.
pub fn start(authorization: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // a viewer that has seen enough closes the connection
            thread::spawn(move || serve(stream, authorization));
        }
    });
    port
}

fn serve(mut stream: TcpStream, authorization: &str) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let description = format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=framerate:{RATE_HZ}\r\n\
         a=control:track\r\n"
    );
    loop {
        let mut request = Vec::new();
        loop {
            let line = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
            if line.is_empty() {
                break;
            }
            request.push(line);
        }
        let header = |name: &str| {
            let found = request.iter().find_map(|line| line.strip_prefix(name));
            found.map(str::trim).unwrap_or_default()
        };
        let method = request[0].split(' ').next().unwrap_or_default();
        let (status, fields, body) = match method {
            "OPTIONS" => (
                "200 OK",
                "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n".to_owned(),
                "",
            ),
            _ if header("Authorization:") != authorization => {
                let asked = "WWW-Authenticate: Basic realm=\"camera\"\r\n";
                ("401 Unauthorized", asked.to_owned(), "")
            }
            "DESCRIBE" => {
                let length = description.len();
                let fields =
                    format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n");
                ("200 OK", fields, description.as_str())
            }
            "SETUP" => {
                let transport = header("Transport:");
                (
                    "200 OK",
                    format!("Transport: {transport}\r\nSession: 7\r\n"),
                    "",
                )
            }
            _ => ("200 OK", "Session: 7\r\n".to_owned(), ""),
        };
        let number = header("CSeq:");
        write!(
            stream,
            "RTSP/1.0 {status}\r\nCSeq: {number}\r\n{fields}\r\n{body}"
        )?;
        match method {
            "PLAY" => return send(&mut stream),
            "TEARDOWN" => return Ok(()),
            _ => {}
        }
    }
}

/// Sends pictures at the camera's rate until nobody takes them.
fn send(stream: &mut TcpStream) -> io::Result<()> {
    let (mut sequence, mut time) = (0_u16, 0_u32);
    loop {
        let (tables, scan) = picture(time);
        for (index, fragment) in scan.chunks(FRAGMENT).enumerate() {
            let is_last = (index + 1) * FRAGMENT >= scan.len();
            let mut packet = vec![0x80, 26 | (u8::from(is_last) << 7)];
            packet.extend(sequence.to_be_bytes());
            packet.extend(time.to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            // four bytes, of which the first belongs to another field that is 0
            packet.extend((index as u32 * FRAGMENT as u32).to_be_bytes());
            packet.extend([1, 255, (WIDTH / 8) as u8, (HEIGHT / 8) as u8]);
            if index == 0 {
                packet.extend([0, 0]);
                packet.extend((tables.len() as u16).to_be_bytes());
                packet.extend(&tables);
            }
            packet.extend(fragment);
            stream.write_all(&[b'$', 0])?;
            stream.write_all(&(packet.len() as u16).to_be_bytes())?;
            stream.write_all(&packet)?;
            sequence = sequence.wrapping_add(1);
        }
        time = time.wrapping_add(90_000 / RATE_HZ);
        thread::sleep(Duration::from_millis(1000 / u64::from(RATE_HZ)));
    }
}

/// Returns the quantisation tables and the scan of a picture whose grey changes with time.
fn picture(time: u32) -> (Vec<u8>, Vec<u8>) {
    let grey = Scalar::all(f64::from(time / 1800 % 200));
    let image = Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, grey).unwrap();
    let mut jpeg = Vector::new();
    imencode(".jpg", &image, &mut jpeg, &Vector::new()).unwrap();
    let jpeg = jpeg.to_vec();
    let (mut tables, mut at) = (Vec::new(), 2);
    loop {
        let (marker, length) = (
            jpeg[at + 1],
            usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])),
        );
        let segment = &jpeg[at + 4..at + 2 + length];
        at += 2 + length;
        match marker {
            // a table is its number and 64 values
            0xdb => tables.extend(segment.chunks(65).flat_map(|table| &table[1..])),
            0xda => return (tables, jpeg[at..jpeg.len() - 2].to_vec()),
            _ => {}
        }
    }
}
