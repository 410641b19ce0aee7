//! Formats an inspection as plain text.

use std::cmp::Reverse;
use std::fmt::{Display, Formatter, Result};

use super::{ChannelLayout, DeclaredValue, Dimension, Inspection, MultiplyAdds, ShuffleNet};

impl Display for Inspection {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let opsets: Vec<String> = (self.opsets.iter())
            .map(|(domain, version)| format!("{domain} {version}"))
            .collect();
        writeln!(f, "format         ONNX, IR version {}", self.ir_version)?;
        writeln!(f, "operator sets  {}", or_none(&opsets.join(", ")))?;
        writeln!(f, "producer       {}", or_none(&self.producer))?;
        for (label, values) in [("input", &self.inputs), ("output", &self.outputs)] {
            for value in values {
                writeln!(f, "{label:<15}{value}")?;
            }
        }

        let mut operators: Vec<_> = self.operators.iter().collect();
        operators.sort_by_key(|(_, count)| Reverse(**count));
        let operators: Vec<String> = (operators.iter())
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        writeln!(f, "nodes          {}: {}", self.nodes, operators.join(", "))?;
        write!(f, "initializers   {}", self.initializers)?;
        if self.initializers_among_inputs > 0 {
            let count = self.initializers_among_inputs;
            write!(
                f,
                ", {count} of them listed as graph inputs too (old form; taken out on loading)"
            )?;
        }
        if self.external_initializers > 0 {
            let count = self.external_initializers;
            write!(
                f,
                ", {count} of them in other files (not supported for inference)"
            )?;
        }
        writeln!(f)?;
        writeln!(f, "parameters     {} (float)", grouped(self.parameters))?;
        writeln!(f, "multiply-adds  {}", self.multiply_adds)?;
        write!(f, "{}", self.shufflenet)?;
        writeln!(f, "on loading     {}", self.channel_layout)
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "not stated" } else { text }
}

impl Display for DeclaredValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "{}  {}",
            self.name,
            self.element_type.unwrap_or("not a tensor")
        )?;
        match &self.shape {
            None => write!(f, " of unknown rank"),
            Some(shape) => {
                let dims: Vec<String> = shape.iter().map(Dimension::to_string).collect();
                write!(f, " [{}]", dims.join(", "))
            }
        }
    }
}

impl Display for ChannelLayout {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            ChannelLayout::Arranged { nodes } => {
                write!(f, "channels arranged, {nodes} nodes on this machine")
            }
            ChannelLayout::NotArranged { reason } => write!(f, "channels not arranged: {reason}"),
        }
    }
}

impl Display for Dimension {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Dimension::Fixed(size) => write!(f, "{size}"),
            Dimension::Symbolic(name) => f.write_str(name),
            Dimension::Unknown => f.write_str("?"),
        }
    }
}

impl Display for MultiplyAdds {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.uncounted.is_empty() {
            return f.write_str(&grouped(self.count));
        }
        let uncounted: Vec<String> = (self.uncounted.iter())
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let count = grouped(self.count);
        write!(f, "at least {count}; not counted: {}", uncounted.join(", "))
    }
}

impl Display for ShuffleNet {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "backbone       {}", self.conclusion)?;
        for (index, stage) in self.stages.iter().enumerate() {
            let size = match stage.size {
                Some([height, width]) => format!("{height}x{width}"),
                None => "unknown size".to_owned(),
            };
            // the paper counts the stem as stage 1
            writeln!(
                f,
                "  stage {}      {size}, {} channels: {} unit of stride 2, {} of stride 1 (depthwise {}x{})",
                index + 2,
                stage.channels,
                stage.stride2_units,
                stage.stride1_units,
                stage.kernel,
                stage.kernel,
            )?;
        }
        writeln!(
            f,
            "  channels     {} splits, {} shuffles",
            self.channel_splits, self.channel_shuffles
        )
    }
}

/// Formats digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_stand_in_threes() {
        let texts = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
