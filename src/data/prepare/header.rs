//! [`Header`]: format and length of a recording, whatever its container.
//!
//! Not here: the containers ([`super::riff`], [`super::sphere`]), the samples themselves ([`super::audio`]).

/// How one sample is stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// One byte, silence at 128.
    Unsigned8,
    /// Two bytes, little-endian.
    Signed16,
    /// Two bytes, big-endian.
    Signed16Big,
    /// Three bytes, little-endian.
    Signed24,
    /// Four bytes, little-endian.
    Signed32,
    /// IEEE single precision between −1 and 1.
    Float32,
    /// IEEE double precision between −1 and 1.
    Float64,
}

impl Coding {
    /// Bytes per sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 => 1,
            Self::Signed16 | Self::Signed16Big => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// The sample in units of 16-bit integers, so that all codings have the same loudness. `b` has
    /// [`bytes`](Self::bytes) bytes.
    pub fn decode(self, b: &[u8]) -> f32 {
        match self {
            Self::Unsigned8 => (f32::from(b[0]) - 128.) * 256.,
            Self::Signed16 => f32::from(i16::from_le_bytes([b[0], b[1]])),
            Self::Signed16Big => f32::from(i16::from_be_bytes([b[0], b[1]])),
            Self::Signed24 => i32::from_le_bytes([0, b[0], b[1], b[2]]) as f32 / 65536.,
            Self::Signed32 => i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 65536.,
            Self::Float32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]) * 32768.,
            Self::Float64 => {
                let bytes = [b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]];
                (f64::from_le_bytes(bytes) * 32768.) as f32
            }
        }
    }
}

/// Format and location of the samples in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Samples per second.
    pub rate: u32,
    /// 1 mono, 2 stereo.
    pub channels: usize,
    /// Encoding of each sample.
    pub coding: Coding,
    /// Offset of the first sample in the file, in bytes.
    pub start: u64,
    /// Samples per channel; the file is known to hold them.
    pub samples: u64,
    /// The smallest and largest sample, if the header states them.
    pub extremes: Option<(i64, i64)>,
}
