//! What a meta command means: cases as data.

use larder_protocol::{Meta, MetaKey, Rejection, Request, encode_key, parse_line};

/// A request as one line of text: what is not as it is without flags.
fn show(line: &str) -> String {
    match parse_line(line.as_bytes()) {
        Ok(Request::MetaGet(meta)) => format!("get {}", show_meta(&meta)),
        Ok(Request::MetaDelete(meta)) => format!("delete {}", show_meta(&meta)),
        Ok(Request::MetaArithmetic(sum)) => format!("{:?} {}", sum.delta, show_meta(&sum.meta)),
        Ok(Request::MetaSet(set)) => {
            format!("{:?} {} {}", set.mode, set.value_len, show_meta(&set.meta))
        }
        Ok(Request::MetaDebug(debug)) => format!("debug {}", show_key(debug.key)),
        Ok(other) => format!("{other:?}"),
        Err(Rejection { reason, quiet, skip_len }) => {
            assert!(!quiet, "errors are told to everybody");
            let status = reason.status().expect("meta commands close nothing");
            let text = String::from_utf8_lossy(status.line()).trim_end().to_owned();
            format!("{text} skip={skip_len}")
        }
    }
}

fn show_key(key: MetaKey<'_>) -> String {
    key.decode().as_ref().escape_ascii().to_string()
}

fn show_meta(meta: &Meta<'_>) -> String {
    let flags = meta.flags;
    let mut text = show_key(meta.key);
    let placed = [("T", flags.touch), ("N", flags.vivify), ("R", flags.recache)];
    for (name, placed) in placed {
        text += &placed.map_or_else(String::new, |p| format!(" {name}{}@{}", p.exptime, p.place));
    }
    let switches = [
        ("quiet", flags.quiet),
        ("value", flags.value),
        ("no_bump", flags.no_bump),
        ("invalidate", flags.invalidate),
        ("drop", flags.drop_value),
    ];
    for (name, _) in switches.into_iter().filter(|(_, is_on)| *is_on) {
        text += &format!(" {name}");
    }
    for (name, cas) in [("C", flags.compare), ("E", flags.cas)] {
        text += &cas.map_or_else(String::new, |cas| format!(" {name}{cas}"));
    }
    if flags.ttl_place != u8::MAX {
        text += &format!(" t@{}", flags.ttl_place);
    }
    for (name, number, usual) in [("F", flags.client_flags.into(), 0), ("J", flags.initial, 0)] {
        text += &if number == usual { String::new() } else { format!(" {name}{number}") };
    }
    text
}

#[track_caller]
fn check(line: &str, expected: &str) {
    for end in ["", "\r", "  \r"] {
        assert_eq!(show(&format!("{line}{end}")), expected, "{line:?} + {end:?}");
    }
}

#[test]
fn retrievals() {
    check("mg k", "get k");
    check("mg  k   v  q", "get k quiet value");
    check("mg k s v t f c k O1 h l u P Lx", "get k value no_bump t@2");
    check("mg k T30 t N-1 R+7", "get k T30@0 N-1@2 R7@3 t@1");
    check("mg k C18446744073709551615 E0", "get k C18446744073709551615 E0");
    check("mg Zm9v b k", "get foo");
    check("mg b b", "CLIENT_ERROR error decoding key skip=0");
    check("mg \u{1}\t v", "get \\x01\\t value");
    assert_eq!(show("mn\r"), "MetaNoop");
    check("mn anything", "MetaNoop");
}

#[test]
fn stores() {
    check("ms k 2", "Set 2 k");
    check("ms k 2 MS T5 F7 I", "Set 2 k T5@1 invalidate F7");
    check("ms k 2 ME C9", "Add 2 k C9");
    check("ms k 2 MA N3", "Append 2 k N3@1");
    check("ms k 2 MP", "Prepend 2 k");
    check("ms k 2 MR", "Replace 2 k");
    check("ms k 2 MR C9", "Cas(9) 2 k C9");
    check("ms k 2 C0", "Cas(0) 2 k C0");
    check("ms k 2147483645", "Set 2147483645 k");
}

#[test]
fn a_refused_data_block_is_skipped_when_its_length_is_known() {
    check("ms k 2 z", "CLIENT_ERROR invalid flag skip=4");
    check("ms k 2 v v", "CLIENT_ERROR duplicate flag skip=4");
    check("ms k 2 Mx", "CLIENT_ERROR invalid mode for ms M token skip=4");
    check("ms k 2 F4294967296", "CLIENT_ERROR bad command line format skip=4");
    check("ms foo 2 b", "CLIENT_ERROR error decoding key skip=4");
    let opaque = "o".repeat(32);
    check(&format!("ms k 2 O{opaque}"), "CLIENT_ERROR opaque token too long skip=4");
    check(&format!("ms {} 2", "k".repeat(251)), "CLIENT_ERROR bad command line format skip=4");
    for len in ["x", "-1", "2147483646", "4294967298"] {
        check(&format!("ms k {len} T0"), "CLIENT_ERROR bad command line format skip=0");
    }
    check("ms k", "CLIENT_ERROR bad command line format skip=0");
}

#[test]
fn sums_and_deletions() {
    check("ma k", "Increment(1) k");
    check("ma k MD D7 N0 J5", "Decrement(7) k N0@2 J5");
    check("ma k M+ D0", "Increment(0) k");
    check("ma k M-", "Decrement(1) k");
    check("ma k Mx", "CLIENT_ERROR invalid mode for ma M token skip=0");
    check("md k I T30 q x E5", "delete k T30@1 quiet invalidate drop E5");
    for line in ["md k z", "md k q q", "md k Fx", "md k Tx", "md k -", "ma k Dx", "ma foo b"] {
        check(line, "CLIENT_ERROR invalid or duplicate flag skip=0");
    }
    let long = "k".repeat(251);
    for command in ["mg", "md", "ma", "me"] {
        check(&format!("{command} {long} z"), "CLIENT_ERROR bad command line format skip=0");
        check(&format!("{command} "), "CLIENT_ERROR bad command line format skip=0");
    }
}

#[test]
fn the_last_fault_is_told_but_the_first_that_ends_the_reading() {
    check("mg k Nx Jx", "CLIENT_ERROR invalid numeric initial value skip=0");
    check("mg k Jx Nx", "CLIENT_ERROR bad token in command line format skip=0");
    check("mg k Fx Dx", "CLIENT_ERROR invalid numeric delta value skip=0");
    check("mg k Dx Fx", "CLIENT_ERROR invalid numeric delta value skip=0");
    check("mg k MM Mx", "CLIENT_ERROR duplicate flag skip=0");
    check("mg k Nx z v v", "CLIENT_ERROR invalid flag skip=0");
    check("mg k - z", "CLIENT_ERROR bad command line format skip=0");
    check("mg k M", "CLIENT_ERROR incorrect length for M token skip=0");
}

#[test]
fn words_are_counted() {
    let flags = "s t c f v h u k l O F1 MI J1 D1 I P L";
    check(&format!("mg k {flags} E1"), "get k value no_bump invalidate E1 t@1 F1 J1");
    check(&format!("mg k {flags} E1 R1"), "CLIENT_ERROR options flags are too long skip=0");
    let flags = "s t c f v h u k l O F1 MA J1 D1 I P L";
    check(&format!("ms k 1 {flags}"), "Append 1 k value no_bump invalidate t@1 F1 J1");
    check(&format!("ms k 1 {flags} E1"), "CLIENT_ERROR options flags are too long skip=3");
}

#[test]
fn debugging() {
    check("me k", "debug k");
    check("me Zm9v b", "debug Zm9v");
    check("me Zm9v b b", "debug foo");
    check("me foo b b", "CLIENT_ERROR bad command line format skip=0");
}

#[test]
fn exptimes_take_effect_in_their_order() {
    let flags = |line: &str| match parse_line(line.as_bytes()) {
        Ok(Request::MetaGet(meta)) => meta.flags,
        other => panic!("{other:?}"),
    };
    for (line, of_old, of_new) in [
        ("mg k t", [None, None], [None, None]),
        ("mg k t T5", [None, Some(5)], [None, Some(5)]),
        ("mg k T5 t", [Some(5), Some(5)], [Some(5), Some(5)]),
        ("mg k N7 t T5", [None, Some(5)], [Some(7), Some(5)]),
        ("mg k T5 t N7", [Some(5), Some(5)], [Some(5), Some(7)]),
    ] {
        let flags = flags(line);
        for (is_new, expected) in [(false, of_old), (true, of_new)] {
            let told = [flags.exptime_at(flags.ttl_place, is_new), flags.exptime(is_new)];
            assert_eq!(told, expected, "{line}, new: {is_new}");
        }
    }
}

#[test]
fn keys_in_base64() {
    for len in 1..=187_usize {
        let key: Vec<u8> = (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap_or(0)).collect();
        let mut word = Vec::new();
        encode_key(&mut word, &key);
        let decoded = MetaKey { word: &word, is_encoded: true }.decode();
        assert_eq!(decoded.as_ref(), key);
        let plain = MetaKey { word: &word, is_encoded: false }.decode();
        assert_eq!(plain.as_ref(), word);
    }
    let mut word = Vec::new();
    encode_key(&mut word, &[b'k'; 250]);
    assert_eq!(word.len(), 336, "the longest key can be said too");
}
