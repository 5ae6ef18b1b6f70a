use stcn::inspect::midi;

/// What a file says: ticks of a quarter note, microseconds of one, and for every note its number, its velocity and the
/// ticks at which it begins and ends; the ticks of the whole.
#[derive(Debug, PartialEq)]
struct Heard {
    quarter: u16,
    tempo: u32,
    notes: Vec<(u8, u8, u32, u32)>,
    end: u32,
}

/// Reads a file of format 0 by the book, without running status.
fn read(bytes: &[u8]) -> Heard {
    assert_eq!(&bytes[..8], b"MThd\0\0\0\x06");
    assert_eq!(bytes[8..12], [0, 0, 0, 1], "format 0, one track");
    let quarter = u16::from_be_bytes([bytes[12], bytes[13]]);
    assert_eq!(&bytes[14..18], b"MTrk");
    let long = u32::from_be_bytes(bytes[18..22].try_into().unwrap());
    let mut rest = bytes[22..].iter().copied();
    assert_eq!(rest.len(), long as usize);
    let (mut now, mut tempo, mut notes) = (0, 0, vec![]);
    let mut struck: Vec<(u8, u8, u32)> = vec![];
    while rest.len() > 0 {
        let mut wait = 0;
        loop {
            let byte = rest.next().unwrap();
            wait = wait << 7 | u32::from(byte & 0x7f);
            if byte < 0x80 {
                break;
            }
        }
        now += wait;
        let mut next = || rest.next().unwrap();
        match [next(), next()] {
            [0xff, 0x51] => {
                assert_eq!(next(), 3);
                tempo = u32::from_be_bytes([0, next(), next(), next()]);
            }
            [0xff, 0x2f] => assert_eq!((next(), rest.len()), (0, 0), "the end of the track"),
            [0x90, note] => {
                let velocity = next();
                assert!(velocity > 0 && struck.iter().all(|&(other, ..)| other != note));
                struck.push((note, velocity, now));
            }
            [0x80, note] => {
                next();
                let at = struck.iter().position(|&(other, ..)| other == note).unwrap();
                let (note, velocity, from) = struck.remove(at);
                notes.push((note, velocity, from, now));
            }
            other => panic!("{other:x?}"),
        }
    }
    assert_eq!(struck, []);
    notes.sort_by_key(|&(note, _, from, _)| (from, note));
    Heard { quarter, tempo, notes, end: now }
}

/// A roll of these notes: key, first step, the step after the last.
fn written(steps: usize, notes: &[(usize, usize, usize)]) -> Heard {
    let mut rows = vec![0.; steps * 88];
    for &(key, from, until) in notes {
        (from..until).for_each(|t| rows[t * 88 + key] = 1.);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.mid");
    midi(&rows, &path).unwrap();
    read(&std::fs::read(path).unwrap())
}

#[test]
fn a_key_that_stays_on_is_one_long_note_and_one_that_comes_back_another() {
    let heard = written(6, &[(0, 0, 3), (87, 1, 2), (39, 2, 4), (39, 5, 6)]);
    let notes =
        vec![(21, 80, 0, 1440), (108, 80, 480, 960), (60, 80, 960, 1920), (60, 80, 2400, 2880)];
    assert_eq!(heard, Heard { quarter: 480, tempo: 500_000, notes, end: 2880 });
}

#[test]
fn rests_last_as_long_as_they_do_in_the_roll() {
    let heard = written(1000, &[(3, 300, 301)]);
    assert_eq!(heard.notes, [(24, 80, 144_000, 144_480)]);
    assert_eq!(heard.end, 480_000, "the silence after it");
    assert_eq!((written(0, &[]).end, written(2, &[]).end), (0, 960));
}

#[test]
#[should_panic(expected = "midi: 87 numbers are not rows of 88 keys")]
fn rows_of_other_keys_are_a_mistake() {
    let _ = midi(&[0.; 87], "/no/such/folder/x.mid");
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let said = midi(&[0.; 88], "/no/such/folder/x.mid").unwrap_err().to_string();
    assert!(said.starts_with("cannot write /no/such/folder/x.mid: "), "{said}");
}
