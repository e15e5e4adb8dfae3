use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn anything_is_parsed_or_refused(text in ".{0,40}", url in "[/a-c#{}?$(:)*\\\\^|\\[\\]. ]{0,20}") {
        rule_parsing(&text);
        rule_parsing(&url);
    }

    #[test]
    fn what_is_compiled_is_what_is_looked_at(
        request in "(GET|PUT) [ab.A]{0,4} /[ab/]{0,4} ([ab]=[ab]&?){0,2} 10.0.0.[12]( [ab]{1,2}){0,2}",
        rules in prop::collection::vec(
            "(h:[ab*?.]{1,3} |H:[\\^ab$.]{1,3} |p:/[ab*?/]{0,3} |p:\\*[ab]{0,2} |P:[\\^/ab$.]{1,4} |m:GET |v:[ab*]{1,2} |V:\\^a |q:a=[ab*] |s:10.0.0.1/32 ){0,3}",
            0..16,
        ),
    ) {
        rule_matching(&format!("{request}\n{}", rules.join("\n")));
    }

    #[test]
    fn what_is_rewritten_stays_well_formed(
        head in "[a-b.:]{0,5} /[ab?=/]{0,6}",
        lines in prop::collection::vec(
            "(set|add|remove) (x-a|host|te|content-length|connection) [a ,]{0,3}|(host|url) [\\^/a(b).*]{0,6} [/ab$#?@: ]{0,5}|(x-a|te|content-length) [a1]{0,2}",
            0..8,
        ),
    ) {
        header_rewriting(&format!("{head}\n{}", lines.join("\n")));
    }

    #[test]
    fn nothing_at_all_panics(text in "(.|\n){0,200}") {
        rule_matching(&text);
        header_rewriting(&text);
    }
}

/// Found by the fuzzer: what was mended was refused when it was looked at again.
#[test]
fn authorities_are_not_mended() {
    head_inspection(b"\x05GET http://a.t#est:80/x HTTP/1.0\nhost:b\n :b\n c\n\nc\n\n");
    head_inspection(b"\x05gET http://a.#test:\xcb0/, HTTP/1.0\nhost:b\n :b\n c\n\nc\n\n");
    head_inspection(b"\x05GET http://a.t\xcbest/x HTTP/1.0\nhost:b\n :b\n c\n\nc\n\n");
}
