use stcn::internals::prepare::header::Coding;

#[test]
fn half_of_full_scale_is_16384_in_every_coding() {
    for (coding, bytes) in [
        (Coding::Unsigned8, vec![192]),
        (Coding::Signed16, vec![0, 0x40]),
        (Coding::Signed16Big, vec![0x40, 0]),
        (Coding::Signed24, vec![0, 0, 0x40]),
        (Coding::Signed32, vec![0, 0, 0, 0x40]),
        (Coding::Float32, 0.5_f32.to_le_bytes().to_vec()),
        (Coding::Float64, 0.5_f64.to_le_bytes().to_vec()),
    ] {
        assert_eq!(coding.bytes(), bytes.len(), "{coding:?}");
        assert_eq!(coding.decode(&bytes), 16384., "{coding:?}");
    }
}
