//! A pickle as numpy's object arrays are saved: read or refused, in memory that its bytes are worth.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stcn::internals::prepare::numpy::pickled_numbers;
use stcn::internals::prepare::pickle::Pickle;

fuzz_target!(
    init: stcn_fuzz::seed("pickle", seeds()),
    |bytes: &[u8]| {
        // An instruction of one byte makes a value of 40 bytes, in a list that grows by doubling, with a place
        // on the stack and one in the memo.
        stcn_fuzz::within(bytes, 320, 1 << 16, |bytes| {
            let Ok(pickle) = Pickle::read(bytes.to_vec(), usize::MAX) else { return };
            let root = pickle.root();
            let _ = (root.value(), pickled_numbers(root));
            // What is shared is copied for each that has it, one at a time.
            for item in root.items().flat_map(|list| list.items()).take(100) {
                let _ = (item.value(), pickled_numbers(item));
            }
        });
    }
);

fn seeds() -> Vec<Vec<u8>> {
    // An array of two floats by Python 2, by protocol 4 and by protocol 5.
    let old = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\0\x85U\x01b\x87Rq\x03\
                (K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02f4K\0K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xff\
                J\xff\xff\xff\xffK\0tb\x89U\x08\0\0\x80?\0\0\0\xc0tb.";
    let new = b"\x80\x05\x95\0\0\0\0\0\0\0\0\x8c\x12numpy.core.numeric\x94\x8c\x0b_frombuffer\x94\x93(\x96\x08\0\0\0\0\0\0\0\
                \0\0\x80?\0\0\0\xc0\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02f4\x85RK\x02\x85\x8c\x01CtR.";
    let latin = b"\x80\x02c_codecs\nencode\nX\x02\0\0\0\xc3\xa9X\x06\0\0\0latin1\x86R.";
    let values = b"\x80\x02}q\0(X\x01\0\0\0aK\x01U\x01bG?\xe0\0\0\0\0\0\0X\x01\0\0\0c](K\x01\x8a\x02\0\x01J\xff\xff\xff\xffeu.";
    let shared = b"\x80\x02]q\0]q\x01(h\0h\0e]q\x02(h\x01h\x01e.";
    vec![
        old.to_vec(),
        new.to_vec(),
        latin.to_vec(),
        values.to_vec(),
        shared.to_vec(),
        b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.".to_vec(),
        // What takes the most memory for its length.
        [b"\x80\x04".to_vec(), b"]\x94".repeat(500), vec![b'.']].concat(),
        [b"\x80\x04N".to_vec(), vec![0x85; 60], vec![b'.']].concat(),
    ]
}
