//! [`Header`]: what the header of a recording says of its samples, whatever the container.
//!
//! Not here: the containers ([`super::riff`], [`super::sphere`]), the samples themselves ([`super::audio`]).

/// How one sample is stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// One byte, with silence at 128.
    Unsigned8,
    /// Two bytes, the low one first.
    Signed16,
    /// Two bytes, the high one first.
    Signed16Big,
    /// Three bytes, the low one first.
    Signed24,
    /// Four bytes, the low one first.
    Signed32,
    /// IEEE single precision between −1 and 1.
    Float32,
    /// IEEE double precision between −1 and 1.
    Float64,
}

impl Coding {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 => 1,
            Self::Signed16 | Self::Signed16Big => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// The number in units of 16-bit integers, so that all codings are equally loud. `b` has as many bytes as
    /// [`bytes`](Self::bytes) says.
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

/// Format and extent of the samples in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Samples a second.
    pub rate: u32,
    /// 1 mono, 2 stereo.
    pub channels: usize,
    /// How each sample is stored.
    pub coding: Coding,
    /// Where the first sample begins.
    pub start: u64,
    /// Samples of each channel; the file has as many.
    pub samples: u64,
    /// The least and the greatest sample, if the header tells.
    pub extremes: Option<(i64, i64)>,
}
