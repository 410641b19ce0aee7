//! Turns our little-endian messages big-endian by walking their schema text, which shows that text
//! and bytes agree.

use crate::Definition;

/// `little` with every scalar's bytes reversed. Panics where the bytes do not follow the schema or
/// do not end with it.
pub fn big_endian(definition: &Definition, little: &[u8]) -> Vec<u8> {
    let schema = definition.schema();
    let mut walk = Walk {
        types: schema
            .split(&format!("{}\n", "=".repeat(80)))
            .map(|part| match part.strip_prefix("MSG: ") {
                Some(named) => named.split_once('\n').unwrap(),
                None => ("", part),
            })
            .collect(),
        body: little[4..].to_vec(),
        at: 0,
    };
    let package = definition.name.split('/').next().unwrap();
    walk.message(package, "");
    assert_eq!(walk.at, walk.body.len(), "bytes beyond the schema");
    [&[0, 0, 0, 0], walk.body.as_slice()].concat()
}

struct Walk<'a> {
    types: Vec<(&'a str, &'a str)>,
    body: Vec<u8>,
    at: usize,
}

impl Walk<'_> {
    fn message(&mut self, package: &str, name: &str) {
        let (_, fields) = *self.types.iter().find(|(n, _)| *n == name).unwrap();
        for field in fields.lines().filter(|line| !line.contains('=')) {
            let (kind, _) = field.split_once(' ').unwrap();
            match kind.split_once('[') {
                None => self.value(package, kind),
                Some((element, len)) => {
                    let count = match len.strip_suffix(']').unwrap() {
                        "" => self.length(),
                        fixed => fixed.parse().unwrap(),
                    };
                    for _ in 0..count {
                        self.value(package, element);
                    }
                }
            }
        }
    }

    fn value(&mut self, package: &str, kind: &str) {
        match kind {
            "bool" | "byte" | "uint8" => self.scalar(1),
            "uint16" => self.scalar(2),
            "int32" | "uint32" | "float32" => self.scalar(4),
            "float64" => self.scalar(8),
            "string" => self.at += self.length(),
            message => match message.split_once('/') {
                Some((package, _)) => self.message(package, message),
                None => self.message(package, &format!("{package}/{message}")),
            },
        }
    }

    fn scalar(&mut self, size: usize) {
        let start = self.at.next_multiple_of(size);
        self.at = start + size;
        self.body[start..self.at].reverse();
    }

    fn length(&mut self) -> usize {
        self.scalar(4);
        u32::from_be_bytes(self.body[self.at - 4..self.at].try_into().unwrap()) as usize
    }
}
