use proptest::prelude::*;

use super::*;

const ISOLATE: &str = "microsoft-365-defender/isolate-device";

fn at(minute: i64) -> Timestamp {
    "2026-11-22T03:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

fn request() -> EffectRequest {
    EffectRequest {
        operation: ISOLATE.to_owned(),
        target: "d1".to_owned(),
        names: vec![known(ProtectedBy::DeviceName, "dc-01.corp.example"), known(ProtectedBy::DeviceTag, "tier0")],
        unlooked: vec![],
        door: Door::Call,
        reference: "r".to_owned(),
        override_approved: false,
        undoes: false,
        now: at(0),
    }
}

fn known(by: ProtectedBy, text: &str) -> KnownAs {
    KnownAs { by, text: text.to_owned() }
}

fn rule(text: &str) -> Rule {
    text.parse().unwrap()
}

fn held() -> Guardrails {
    Guardrails { hold: Some(Hold { by: "alice".into(), since: at(-9), why: "drill".into() }), ..Guardrails::default() }
}

fn protecting() -> Guardrails {
    Guardrails { protected: vec![rule("device-tag:tier0")], ..Guardrails::default() }
}

fn ceiling(count: u32) -> Guardrails {
    Guardrails { ceilings: [(ISOLATE.to_owned(), count)].into(), ..Guardrails::default() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Admitted,
    Held,
    Over,
    Protected,
    Observed,
}

fn word(admission: &Admission) -> Word {
    match admission {
        Admission::Admitted => Word::Admitted,
        Admission::Held { .. } => Word::Held,
        Admission::OverCeiling { .. } => Word::Over,
        Admission::Protected { .. } => Word::Protected,
        Admission::Observed => Word::Observed,
    }
}

/// Every combination: the switch goes before all, then protection, then the ceiling, then observing.
#[test]
fn the_decision_is_that_of_the_table() {
    let flags = [false, true];
    let mut cases = 0;
    for bits in 0..256_u32 {
        let is = |at: u32| flags[usize::from(bits & (1 << at) != 0)];
        let [held_now, is_protected, is_full, observe] = [is(0), is(1), is(2), is(3)];
        let [approved, undoes, before, none_at_all] = [is(4), is(5), is(6), is(7)];
        let rails = Guardrails {
            hold: held().hold.filter(|_| held_now),
            protected: protecting().protected.into_iter().filter(|_| is_protected).collect(),
            ceilings: ceiling(if none_at_all { 0 } else { 3 }).ceilings,
            observe,
        };
        let request = EffectRequest { override_approved: approved, undoes, ..request() };
        let counted = Counted { before, oldest_that_counts: is_full.then(|| at(-30)) };
        let expected = match () {
            () if held_now => Word::Held,
            () if is_protected && !approved && !undoes => Word::Protected,
            () if (is_full || none_at_all) && !before && !undoes => Word::Over,
            () if observe => Word::Observed,
            () => Word::Admitted,
        };
        assert_eq!(word(&rails.decide(&request, counted)), expected, "{rails:?} {request:?} {counted:?}");
        cases += 1;
    }
    assert_eq!(cases, 256);
}

#[test]
fn each_answer_says_what_a_person_needs() {
    let counted = |minute| Counted { before: false, oldest_that_counts: Some(at(minute)) };
    let decided = |rails: &Guardrails, minute| rails.decide(&request(), counted(minute));
    assert_eq!(decided(&held(), -30), Admission::Held { why: "drill".into(), by: "alice".into(), since: at(-9) });
    assert_eq!(decided(&protecting(), -30), Admission::Protected { rule: rule("device-tag:tier0") });
    assert_eq!(decided(&ceiling(3), -59), Admission::OverCeiling { ceiling: 3, until: Some(at(1)) });
    // To the microsecond: an hour later it counts no more.
    assert_eq!(decided(&ceiling(3), -60), Admission::Admitted);
    assert_eq!(decided(&ceiling(0), -30), Admission::OverCeiling { ceiling: 0, until: None });
}

#[test]
fn the_stricter_of_two_settings_holds() {
    let own = Guardrails { protected: vec![rule("device-id:1")], observe: true, ..ceiling(50) };
    let shared = Guardrails { protected: vec![rule("device-id:1"), rule("device-tag:x")], ..ceiling(20) };
    let both = own.clone().with(&shared);
    assert_eq!(both.ceiling(ISOLATE), Some(20));
    assert_eq!(shared.clone().with(&own), both);
    assert_eq!(both.protected, [rule("device-tag:x"), rule("device-id:1")]);
    assert!(both.observe && both.hold.is_none());
    assert_eq!(ceiling(5).with(&ceiling(20)).ceiling(ISOLATE), Some(5));
    assert!(ceiling(5).with(&held()).hold.is_some() && held().with(&ceiling(5)).hold.is_some());
    assert_eq!(Guardrails::default().ceiling(ISOLATE), Some(10), "it comes with Sortie");
    assert_eq!(ceiling(30).with(&Guardrails::default()).ceiling(ISOLATE), Some(30), "and may be set higher");
    assert_eq!(Guardrails::default().ceiling("jira/create-issue"), None);
}

#[test]
fn a_rule_is_about_one_thing_and_knows_short_names() {
    #[track_caller]
    fn check(text: &str, by: ProtectedBy, name: &str, expected: bool) {
        assert_eq!(rule(text).protects(&known(by, name)), expected, "{text} {by:?} {name}");
    }
    check("device-name:dc-01", ProtectedBy::DeviceName, "DC-01.corp.example", true);
    check("device-name:dc-*", ProtectedBy::DeviceName, "dc-01", true);
    check("device-name:*.corp.example", ProtectedBy::DeviceName, "dc-01.corp.example", true);
    check("device-name:dc-01", ProtectedBy::DeviceName, "dc-011", false);
    check("device-name:dc-*", ProtectedBy::DeviceTag, "dc-01", false);
    check("device-tag:tier0", ProtectedBy::DeviceTag, "Tier0", true);
    check("device-tag:tier0", ProtectedBy::DeviceTag, " tier0 ", true);
    check("device-tag:tier0", ProtectedBy::DeviceTag, "tier0.old", false);
    check("user-name:ceo", ProtectedBy::UserName, "ceo@contoso.com", true);
    check("user-name:*@contoso.com", ProtectedBy::UserName, "x@fabrikam.com", false);
    check("user-role:*administrator", ProtectedBy::UserRole, "Global Administrator", true);
    check("user-id:*", ProtectedBy::UserId, "1", true);
}

#[test]
fn what_is_no_rule_is_refused() {
    assert_eq!(rule(" user-role : Global Administrator ").to_string(), "user-role:Global Administrator");
    let long = format!("device-id:{}", "a".repeat(257));
    for wrong in ["", "dc-*", "device:dc", "device-name:", "device-name: ", "device-tag:a\u{7}", &long] {
        assert_eq!(wrong.parse::<Rule>(), Err(RuleError), "{wrong}");
    }
}

/// The same by trying every way: slow, and plainly right.
fn fits(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), Some((_, less))) => fits(rest, text) || fits(pattern, less),
        (Some(('*', rest)), None) => fits(rest, text),
        (Some((c, rest)), Some((d, less))) => c == d && fits(rest, less),
        _ => false,
    }
}

/// A few letters of the world have no way back from their upper case; those stay as they are.
fn uppercase(letter: char) -> String {
    let upper: String = letter.to_uppercase().collect();
    let comes_back = upper.chars().flat_map(char::to_lowercase).eq(letter.to_lowercase());
    if comes_back { upper } else { letter.to_string() }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_trying_every_way_matches(pattern in "[ab*]{0,7}", text in "[ab]{0,9}") {
        let [p, t] = [&pattern, &text].map(|text| text.chars().collect::<Vec<_>>());
        prop_assert_eq!(matches(&pattern, &text), fits(&p, &t));
    }

    #[test]
    fn a_text_matches_itself_in_any_case_and_whatever_a_star_stands_for(text in "\\PC{0,30}", split in 0_usize..30) {
        let text: String = text.chars().filter(|c| *c != '*').collect();
        let upper: String = text.chars().map(uppercase).collect();
        prop_assert!(matches(&text, &upper));
        let split = text.char_indices().map(|(at, _)| at).nth(split).unwrap_or(0);
        let (begin, end) = (format!("{}*", &text[..split]), format!("*{}", &text[split..]));
        prop_assert!(matches(&begin, &text) && matches(&end, &text), "{} {}", begin, end);
        prop_assert!(matches("*", &text));
    }
}

#[test]
fn a_rule_about_what_was_not_looked_up_protects() {
    use ProtectedBy::{DeviceId, DeviceName, DeviceTag, UserId, UserName, UserRole};
    let rails = Guardrails { protected: vec![rule("user-role:*admin*")], ..Guardrails::default() };
    let request = EffectRequest { unlooked: vec![UserRole], ..request() };
    let counted = Counted::default();
    assert_eq!(rails.decide(&request, counted), Admission::Protected { rule: rule("user-role:*admin*") });
    for passes in [
        EffectRequest { unlooked: vec![DeviceName, DeviceTag], ..request.clone() },
        EffectRequest { undoes: true, ..request.clone() },
        EffectRequest { override_approved: true, ..request },
    ] {
        assert_eq!(rails.decide(&passes, counted), Admission::Admitted, "{passes:?}");
    }
    #[track_caller]
    fn check(devices: bool, users: bool, looked_up: Option<&[ProtectedBy]>, expected: &[ProtectedBy]) {
        assert_eq!(ProtectedBy::unlooked(devices, users, looked_up), expected);
    }
    check(false, false, None, &[]);
    check(true, false, None, &[DeviceName, DeviceTag, DeviceId]);
    check(false, true, None, &[UserName, UserId, UserRole]);
    check(true, true, Some(&[DeviceName]), &[UserRole]);
    check(false, true, Some(&[UserName, UserRole]), &[]);
    check(true, false, Some(&[DeviceTag]), &[]);
}
