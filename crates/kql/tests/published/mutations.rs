//! Published queries with a token dropped, doubled or swapped: the tokens without which no query stands are missed.

use sortie_kql::{Token, TokenKind, parse, run, tokens};

#[test]
fn a_query_with_a_broken_token_is_refused() {
    let (Some(queries), Some(world)) = (crate::kit::corpus(), crate::kit::hunting_world()) else { return };
    let clean = queries.iter().filter(|(_, text)| parse(text).errors.is_empty()).step_by(40);
    let (mut tried, mut refused) = (0, 0);
    for (name, text) in clean {
        let all = tokens(text);
        let meaning: Vec<usize> =
            (0..all.len()).filter(|at| !matches!(all[*at].kind, TokenKind::Blank | TokenKind::Comment)).collect();
        for place in 1..meaning.len() {
            let (before, at) = (all[meaning[place - 1]], all[meaning[place]]);
            let said = |token: Token| &text[token.span.start..token.span.end];
            for broken in must_fail(said(before), said(at)) {
                let mutated = match broken {
                    Broken::Dropped => replaced(text, at, ""),
                    Broken::Doubled => replaced(text, at, &format!("{0} {0}", said(at))),
                    Broken::Swapped => {
                        let first = replaced(text, at, said(before));
                        let mut swapped = first[..before.span.start].to_owned();
                        swapped.push_str(said(at));
                        swapped.push_str(&first[before.span.end..]);
                        swapped
                    }
                };
                tried += 1;
                let no = !parse(&mutated).errors.is_empty();
                refused += usize::from(no);
                assert!(no, "{name}: {broken:?} `{}` behind `{}`\n{mutated}", said(at), said(before));
            }
        }
        // Any single token may be missing without a panic, whatever the verdict.
        for place in meaning.iter().step_by(7) {
            let _ = run(&replaced(text, all[*place], ""), &world, &crate::kit::options());
        }
    }
    eprintln!("{refused} of {tried} mutations were refused");
    assert!(tried == refused && tried > 500);
}

#[derive(Clone, Copy, Debug)]
enum Broken {
    Dropped,
    Doubled,
    Swapped,
}

/// Mutations after which no reading is left.
fn must_fail(before: &str, at: &str) -> Vec<Broken> {
    match at {
        // A bracket without its partner.
        ")" | "]" | "}" => vec![Broken::Dropped, Broken::Doubled],
        "==" | "!=" | "=~" | ">=" | "<=" | "and" | "or" | "has" | "contains" | "startswith" => vec![Broken::Doubled],
        // A pipe behind a name cannot change places with it and leave a query.
        "|" if before == ")" => vec![Broken::Swapped],
        "," => vec![Broken::Doubled],
        _ => Vec::new(),
    }
}

fn replaced(text: &str, token: Token, by: &str) -> String {
    format!("{}{by}{}", &text[..token.span.start], &text[token.span.end..])
}
