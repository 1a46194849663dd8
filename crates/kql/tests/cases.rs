//! Queries with rows that were written by hand, one table of them a theme. Cells are as `tostring` prints them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::sync::Arc;

use sortie_kql::{
    Cell, Database, ErrorKind, Limits, Options, Schema, Table, TableBuilder, Type, Window, parse_instant, run,
};

/// One table of five events, and a clock that stands still.
struct World {
    events: Arc<Table>,
}

impl Database for World {
    fn schema(&self, table: &str) -> Option<Arc<Schema>> {
        (table == "Events").then(|| Arc::clone(self.events.schema()))
    }

    fn table(&self, table: &str) -> Option<Arc<Table>> {
        (table == "Events").then(|| Arc::clone(&self.events))
    }

    fn table_names(&self) -> Vec<String> {
        vec!["Events".to_owned()]
    }
}

fn world() -> World {
    let schema = Schema::new()
        .with("Timestamp", Type::DateTime)
        .with("Device", Type::String)
        .with("File", Type::String)
        .with("Port", Type::Int)
        .with("Fields", Type::Dynamic)
        .with_alias("TimeGenerated", "Timestamp")
        .with_absent("TenantId", Type::String);
    let mut builder = TableBuilder::new(Arc::new(schema));
    for (time, device, file, port, fields) in [
        ("2026-10-30T10:00:00Z", "wks-01", "PowerShell.exe", Some(443), r#"{"a":1,"tags":["x","y"]}"#),
        ("2026-10-30T11:30:00Z", "wks-02", "cmd.exe", Some(80), r#"{"a":2,"tags":[]}"#),
        ("2026-10-31T09:15:00Z", "WKS-01", "explorer.exe", None, "{}"),
        ("2026-10-31T23:59:59Z", "srv-9", "powershell_ise.exe", Some(443), r#"{"a":4,"tags":["y"]}"#),
        ("2026-11-01T08:00:00Z", "srv-9", "", Some(22), "null"),
    ] {
        builder.push([
            Cell::DateTime(parse_instant(time).unwrap()),
            Cell::String(device),
            Cell::String(file),
            port.map_or(Cell::Null, Cell::Int),
            Cell::Dynamic(&sortie_kql::Dynamic::parse(fields).unwrap()),
        ]);
    }
    World { events: Arc::new(builder.finish()) }
}

fn options() -> Options {
    Options { now: parse_instant("2026-11-01T12:00:00Z").unwrap(), window: None, limits: Limits::default() }
}

fn rows(query: &str, options: &Options) -> Vec<String> {
    let answer = run(query, &world(), options).unwrap_or_else(|error| panic!("{query}\n{error}"));
    let text = |cell: Cell<'_>| if cell.is_null() { "null".to_owned() } else { cell.to_string() };
    answer.table().rows().map(|row| row.map(text).collect::<Vec<_>>().join(" | ")).collect()
}

#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    for (query, expected) in cases {
        assert_eq!(rows(query, &options()), *expected, "{query}");
    }
}

#[test]
fn text_operators_look_at_terms() {
    check(&[
        ("Events | where File has 'powershell' | project File", &["PowerShell.exe", "powershell_ise.exe"]),
        ("Events | where File has 'power' | count", &["0"]),
        ("Events | where File has_cs 'PowerShell' | project File", &["PowerShell.exe"]),
        ("Events | where File hasprefix 'power' | project File", &["PowerShell.exe", "powershell_ise.exe"]),
        ("Events | where File hassuffix 'shell' | project File", &["PowerShell.exe", "powershell_ise.exe"]),
        ("Events | where File !has 'exe' | project Port", &["22"]),
        ("Events | where File contains 'SHELL' | count", &["2"]),
        ("Events | where File contains_cs 'Shell' | count", &["1"]),
        ("Events | where File startswith 'POWER' | count", &["2"]),
        ("Events | where File startswith_cs 'power' | project File", &["powershell_ise.exe"]),
        ("Events | where File !startswith 'p' and isnotempty(File) | project File", &["cmd.exe", "explorer.exe"]),
        ("Events | where File endswith '.EXE' | count", &["4"]),
        ("Events | where Device in~ ('wks-01') | project Device", &["wks-01", "WKS-01"]),
        ("Events | where Device in ('wks-01', 'srv-9') | count", &["3"]),
        ("Events | where Device !in~ ('WKS-01', 'SRV-9') | project Device", &["wks-02"]),
        ("Events | where Device =~ 'SRV-9' | count", &["2"]),
        ("Events | where Device !~ 'SRV-9' | count", &["3"]),
        ("Events | where File has_any ('cmd', 'ise') | project File", &["cmd.exe", "powershell_ise.exe"]),
        ("Events | where File has_any (dynamic(['cmd', 'explorer'])) | count", &["2"]),
        ("Events | where File has_all ('powershell', 'exe') | project File", &["PowerShell.exe", "powershell_ise.exe"]),
        ("Events | where Device matches regex @'^w.s-0[12]$' | project Device", &["wks-01", "wks-02"]),
        ("let wanted = Events | where Port == 80 | project Device; Events | where Device in (wanted) | count", &["1"]),
    ]);
}

#[test]
fn nulls_and_empty_texts() {
    check(&[
        ("Events | where Port == 443 | count", &["2"]),
        ("Events | where Port != 443 | count", &["3"]),
        ("Events | where not(Port == 443) | count", &["3"]),
        ("Events | where Port > 0 or Port <= 0 | count", &["4"]),
        ("Events | where isnull(Port) | project Device", &["WKS-01"]),
        ("Events | where isempty(File) | project Device", &["srv-9"]),
        ("print a = int(null) + 1, b = coalesce(int(null), 7), c = iff(bool(null), 1, 2)", &["null | 7 | 2"]),
        ("print strcat('a', '', 'b'), isnull(''), isempty('')", &["ab | false | true"]),
        ("Events | summarize sum(Port), avg(Port), count(), countif(isnull(Port))", &["988 | 247 | 5 | 1"]),
        ("print 7 / 2, 7.0 / 2, -7 % 3, 1 / 0 == 1", &["3 | 3.5 | 2 | false"]),
    ]);
}

#[test]
fn projections() {
    check(&[
        ("Events | take 1 | project Device, p = Port + 1", &["wks-01 | 444"]),
        ("Events | take 1 | project-away Fields, Timestamp", &["wks-01 | PowerShell.exe | 443"]),
        ("Events | take 1 | project-keep F*, Device | project-away Fields", &["wks-01 | PowerShell.exe"]),
        ("Events | take 1 | project Device, Port | project-rename Host = Device | project Host", &["wks-01"]),
        (
            "Events | take 1 | project Device, Port, File | project-reorder File, Port",
            &["PowerShell.exe | 443 | wks-01"],
        ),
        ("Events | take 1 | project Device | extend Device = toupper(Device), n = strlen(Device)", &["WKS-01 | 6"]),
        (
            "Events | where TimeGenerated > ago(5h) | project TimeGenerated, TenantId",
            &["2026-11-01T08:00:00.0000000Z | "],
        ),
        ("Events | project Device | getschema | project ColumnName, ColumnType", &["Device | string"]),
    ]);
}

#[test]
fn order_and_number_of_rows() {
    check(&[
        ("Events | sort by Port asc | project Port", &["null", "22", "80", "443", "443"]),
        ("Events | sort by Port | take 1 | project Port", &["443"]),
        ("Events | sort by Port desc nulls first | take 1 | project Device", &["WKS-01"]),
        ("Events | top 2 by Timestamp desc | project Device, Port", &["srv-9 | 22", "srv-9 | 443"]),
        ("Events | order by Device asc, Timestamp desc | project Device | take 2", &["WKS-01", "srv-9"]),
        ("range x from 1 to 10 step 3", &["1", "4", "7", "10"]),
        ("range d from datetime(2026-01-01) to datetime(2026-01-02) step 12h | count", &["3"]),
        ("Events | distinct Device | sort by Device asc", &["WKS-01", "srv-9", "wks-01", "wks-02"]),
        (
            "Events | sort by Timestamp asc | extend n = row_number(), before = prev(Port) | project n, before | take 2",
            &["1 | null", "2 | 443"],
        ),
    ]);
}

#[test]
fn groups() {
    check(&[
        (
            "Events | summarize n = count() by Device | sort by n, Device asc",
            &["srv-9 | 2", "WKS-01 | 1", "wks-01 | 1", "wks-02 | 1"],
        ),
        (
            "Events | summarize count() by bin(Timestamp, 1d) | sort by Timestamp asc",
            &[
                "2026-10-30T00:00:00.0000000Z | 2",
                "2026-10-31T00:00:00.0000000Z | 2",
                "2026-11-01T00:00:00.0000000Z | 1",
            ],
        ),
        (
            "Events | summarize arg_max(Timestamp, Port) by Device | where Device == 'srv-9'",
            &["srv-9 | 2026-11-01T08:00:00.0000000Z | 22"],
        ),
        ("Events | summarize arg_min(Port, *) | project Device, Port", &["srv-9 | 22"]),
        ("Events | summarize make_set(Port), make_list(Port)", &["[443,80,22] | [443,80,443,22]"]),
        ("Events | summarize dcount(Port), min(Port), max(Port)", &["3 | 22 | 443"]),
        ("Events | summarize percentile(Port, 50)", &["80"]),
        ("Events | where Port == 1 | summarize count(), sum(Port), make_set(Port)", &["0 | 0 | []"]),
        ("Events | where Port == 1 | summarize count() by Device", &[]),
        ("Events | summarize spread = max(Port) - min(Port), round(avg(Port), 1)", &["421 | 247"]),
        (
            "Events | summarize dcountif(Device, Port == 443), sumif(Port, Device == 'srv-9'), make_set_if(Port, Port < 100)",
            &["2 | 465 | [80,22]"],
        ),
        ("Events | summarize stdev(Port) | project tolong(stdev_Port)", &["227"]),
    ]);
}

#[test]
fn joins_and_unions() {
    let tables = "let L = datatable(k: string, a: long) ['x', 1, 'x', 2, 'y', 3, 'z', 4];\
                  let R = datatable(k: string, b: long) ['x', 10, 'x', 20, 'y', 30, 'w', 40];";
    for (query, expected) in [
        ("L | join R on k | project a, b | sort by a asc, b asc", vec!["1 | 10", "1 | 20", "3 | 30"]),
        ("L | join kind=inner R on k | summarize count()", vec!["5"]),
        ("L | join kind=leftouter R on k | where isnull(b) | project k, a, k1", vec!["z | 4 | "]),
        ("L | join kind=rightouter R on k | where isnull(a) | project k1, b", vec!["w | 40"]),
        ("L | join kind=fullouter R on k | count", vec!["7"]),
        ("L | join kind=leftanti R on k", vec!["z | 4"]),
        ("L | join kind=rightanti R on k", vec!["w | 40"]),
        ("L | join kind=leftsemi R on k | sort by a asc", vec!["x | 1", "x | 2", "y | 3"]),
        ("L | join kind=rightsemi R on k | count", vec!["3"]),
        (
            "L | join kind=inner (R | project-rename key = k) on $left.k == $right.key | where a == 3 | project key",
            vec!["y"],
        ),
        ("L | lookup R on k | where a >= 3 | project k, a, b | sort by a asc", vec!["y | 3 | 30", "z | 4 | null"]),
        ("union L, R | summarize count(), sum(a), sum(b)", vec!["8 | 10 | 100"]),
        ("union withsource=T L, (R | take 1) | distinct T | sort by T asc", vec!["L", "union_arg1"]),
        ("union isfuzzy=true L, Nowhere | count", vec!["4"]),
        ("union kind=inner L, R | getschema | project ColumnName", vec!["k"]),
    ] {
        assert_eq!(rows(&format!("{tables}{query}"), &options()), expected, "{query}");
    }
}

#[test]
fn dynamics() {
    check(&[
        ("Events | where Fields.a > 1 | project toint(Fields.a)", &["2", "4"]),
        (
            "Events | mv-expand tag = Fields.tags to typeof(string) | where isnotempty(tag) | project Device, tag",
            &["wks-01 | x", "wks-01 | y", "srv-9 | y"],
        ),
        (
            "print d = parse_json('{\"a\":{\"b\":[10,20]}}') | project d.a.b[1], d['a']['b'][-2], d.none",
            &["20 | 10 | null"],
        ),
        (
            "print bag_keys(dynamic({'a':1,'b':2})), array_length(dynamic([1,2])), set_has_element(dynamic([1,2]), 2)",
            &["[\"a\",\"b\"] | 2 | true"],
        ),
        (
            "print pack_array(1, 'x', 2.5), bag_pack('a', 1, 'b', dynamic([true]))",
            &["[1,\"x\",2.5] | {\"a\":1,\"b\":[true]}"],
        ),
        (
            "datatable(l: dynamic)[dynamic([3,1,2])] | mv-apply e = l to typeof(long) on (top 1 by e) | project e",
            &["3"],
        ),
        ("print x = dynamic({'k': 'v'}) | mv-expand kind=array x | project x", &["[\"k\",\"v\"]"]),
        (
            "print set_union(dynamic([1,2]), dynamic([2,3])), set_difference(dynamic([1,2]), dynamic([2])), array_slice(dynamic([1,2,3,4]), 1, 2)",
            &["[1,2,3] | [1] | [2,3]"],
        ),
        (
            "print tostring(dynamic({'a':'b'})), tostring(dynamic('x')), parse_json('not json')",
            &["{\"a\":\"b\"} | x | not json"],
        ),
    ]);
}

#[test]
fn texts_times_and_numbers() {
    check(&[
        (
            "print split('a,b,c', ','), split('a,b,c', ',', 1), substring('hello', 1, 3), indexof('hello', 'l')",
            &["[\"a\",\"b\",\"c\"] | [\"b\"] | ell | 2"],
        ),
        (
            "print extract('(\\\\d+)-(\\\\d+)', 2, 'ab 12-34'), extract_all('(\\\\d)', 'a1b2'), replace_regex('a1b2', '\\\\d', '#')",
            &["34 | [\"1\",\"2\"] | a#b#"],
        ),
        (
            "print trim('-+', '--a-b--'), trim_start('x', 'xxa'), strcat_delim('/', 'a', 'b'), reverse('abc'), countof('aaa', 'aa')",
            &["a-b | xa | a/b | cba | 2"],
        ),
        (
            "print format_datetime(datetime(2026-03-04 15:06:07), 'yyyy-MM-dd hh:mm tt'), format_timespan(90s, 'mm:ss')",
            &["2026-03-04 03:06 PM | 01:30"],
        ),
        (
            "print startofday(now()), startofweek(now()), endofmonth(now()), dayofweek(now()), hourofday(now())",
            &[
                "2026-11-01T00:00:00.0000000Z | 2026-11-01T00:00:00.0000000Z | 2026-11-30T23:59:59.9999999Z | 00:00:00 | 12",
            ],
        ),
        (
            "print datetime_diff('day', now(), ago(36h)), datetime_add('month', 1, datetime(2026-01-31)), now() - ago(1d)",
            &["1 | 2026-02-28T00:00:00.0000000Z | 1.00:00:00"],
        ),
        (
            "print bin(7.5, 2), bin(-1, 2), round(2.355, 1), round(2.5), bin(datetime(2026-01-02 03:04), 1h)",
            &["6 | -2 | 2.4 | 2 | 2026-01-02T03:00:00.0000000Z"],
        ),
        (
            "print toint('12'), tolong('0x1F'), toreal('1e3'), tobool('true'), todatetime('2026-01-01'), totimespan('1.02:03:04'), toint('x')",
            &["12 | 31 | 1000 | true | 2026-01-01T00:00:00.0000000Z | 1.02:03:04 | null"],
        ),
        (
            "print case(1 > 2, 'a', 2 > 1, 'b', 'c'), iff(true, 1, 2), max_of(1, 5, 3), 5 between (1 .. 5), 5 !between (1 .. 5)",
            &["b | 1 | 5 | true | false"],
        ),
        (
            "print base64_decode_tostring('aGk='), url_decode('a%20b'), parse_ipv4('10.0.0.1'), ipv4_is_in_range('10.1.2.3', '10.0.0.0/8'), ipv4_is_private('8.8.8.8')",
            &["hi | a b | 167772161 | true | false"],
        ),
        (
            "print a = 'x' 'y', b = @'c:\\d', c = \"q\\\"q\", d = 1h + 30m, e = 2 * 1d",
            &["xy | c:\\d | q\"q | 01:30:00 | 2.00:00:00"],
        ),
        (
            "datatable(t: string)['user=bob ip=1.2.3.4'] | parse t with 'user=' u ' ip=' ip | project u, ip",
            &["bob | 1.2.3.4"],
        ),
        ("datatable(t: string)['a: 1', 'b'] | parse-where t with 'a: ' n: long | project n", &["1"]),
        (
            "datatable(t: string)['k=v;n=5'] | parse-kv t as (n: long, k: string) with (pair_delimiter=';', kv_delimiter='=') | project k, n",
            &["v | 5"],
        ),
    ]);
}

#[test]
fn names_and_functions_of_the_query() {
    check(&[
        ("let n = 2; let f = (x: long, y: long = 10) { let z = x + y; z * n }; print f(1), f(1, 2)", &["22 | 6"]),
        ("let T = (m: long) { Events | where Port >= m }; T(100) | count", &["2"]),
        ("let f = (T: (Port: int)) { T | summarize m = max(Port) }; Events | invoke f()", &["443"]),
        ("let m = toscalar(Events | summarize max(Port)); Events | where Port == m | count", &["2"]),
        ("let c = materialize(Events | where Port == 443); union c, c | count", &["4"]),
        ("Events | as X | where Port == toscalar(X | summarize min(Port)) | project Device", &["srv-9"]),
        (
            "Events | extend v = column_ifexists('Nothing', 'none'), w = column_ifexists('Port', 0) | take 1 | project v, w",
            &["none | 443"],
        ),
        ("search in (Events) 'explorer' | project Device", &["WKS-01"]),
        ("range x from 1 to 4 step 1 | partition by x (summarize s = sum(x)) | summarize sum(s)", &["10"]),
        (
            "range t from 1 to 4 step 1 | make-series n = count() default = 0 on t from 0 to 6 step 2",
            &["[1,2,1] | [0,2,4]"],
        ),
    ]);
}

#[test]
fn a_window_of_time_hides_rows_of_the_host() {
    let window = Window {
        column: "Timestamp".to_owned(),
        start: parse_instant("2026-10-31").unwrap(),
        end: parse_instant("2026-11-01").unwrap(),
    };
    let options = Options { window: Some(window), ..options() };
    assert_eq!(rows("Events | count", &options), ["2"]);
}

#[test]
fn errors_have_the_words_of_the_service_and_a_place() {
    for (query, kind, message, place) in [
        ("Events |\n where", ErrorKind::Syntax, "A recognition error occurred.", (2, 7)),
        (
            "Events | project x",
            ErrorKind::Semantic,
            "'project' operator: Failed to resolve scalar expression named 'x'. Fix semantic errors in your query.",
            (1, 18),
        ),
        (
            "EmailEvents | where 1 == 1",
            ErrorKind::Semantic,
            "'where' operator: Failed to resolve table or column expression named 'EmailEvents'. Fix semantic errors in your query.",
            (1, 1),
        ),
        (
            "DeviceInfo | getschema",
            ErrorKind::Semantic,
            "'getschema' operator: Failed to resolve table or column expression named 'DeviceInfo'. Fix semantic errors in your query.",
            (1, 1),
        ),
        (
            "Events | extend y = nofunction(1)",
            ErrorKind::Semantic,
            "'extend' operator: Unknown function: 'nofunction'. Fix semantic errors in your query.",
            (1, 21),
        ),
        (
            "Events | where Timestamp > 5",
            ErrorKind::Semantic,
            "'where' operator: Cannot compare values of types datetime and long. Try adding explicit casts. Fix semantic errors in your query.",
            (1, 16),
        ),
        (
            "Events | fork (count) (take 1)",
            ErrorKind::Unsupported,
            "Operator 'fork' is not supported. Fix semantic errors in your query.",
            (1, 10),
        ),
        (
            "Events | extend x = series_fft(Fields)",
            ErrorKind::Unsupported,
            "'extend' operator: Function 'series_fft' is not supported. Fix semantic errors in your query.",
            (1, 21),
        ),
    ] {
        let error = run(query, &world(), &options()).unwrap_err();
        assert_eq!((error.kind, error.message.as_str(), (error.line, error.column)), (kind, message, place), "{query}");
    }
}

#[test]
fn one_value_cannot_grow_without_bound() {
    let doubled = (0..60).map(|at| format!("let a{} = pack_array(a{at}, a{at});", at + 1)).collect::<String>();
    for query in [
        "print strrep(strrep('aaaaaaaaaa', 100000), 100000)",
        "print repeat(repeat(1, 1000000), 1000000)",
        "print replace_string(strrep('a', 1000000), 'a', strrep('b', 1000000))",
        &format!("let a0 = pack_array(1); {doubled} print a60"),
    ] {
        let error = run(query, &world(), &options()).unwrap_err();
        assert_eq!(error.message, "Query stopped due to excessive resource consumption.", "{query}");
    }
}

#[test]
fn limits_end_what_would_not_end() {
    let million = "range x from 1 to 1000000 step 1";
    let cross =
        format!("{million} | extend k = 1 | join kind=inner (range y from 1 to 1000 step 1 | extend k = 1) on k");
    let small = |limits: Limits| Options { limits, ..options() };
    let memory = Limits { memory_bytes_max: 20_000_000, ..Limits::default() };
    let time = Limits { time_max: std::time::Duration::from_millis(200), ..Limits::default() };
    for (query, limits, kind, message) in [
        (
            format!("{cross} | sort by x asc"),
            memory,
            ErrorKind::Memory,
            "Query stopped. Adjust use of the sort operator to avoid excessive resource consumption.",
        ),
        (
            format!("{cross} | summarize make_list(x)"),
            memory,
            ErrorKind::Memory,
            "Query stopped. Adjust use of the summarize operator to avoid excessive resource consumption.",
        ),
        (format!("{cross} | count"), time, ErrorKind::Timeout, "Query exceeded the timeout period."),
        (
            million.to_owned(),
            Limits { answer_bytes_max: 10_000, ..Limits::default() },
            ErrorKind::ResultSize,
            "Query execution has exceeded the allowed result size. Optimize your query by limiting the number of results and try again",
        ),
    ] {
        let error = run(&query, &world(), &small(limits)).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{query}");
    }
}

#[test]
fn rows_beyond_the_bound_are_left_out() {
    // Below, at and above the size of a batch.
    for rows_max in [1, 1_000, 100_000] {
        let options = Options { limits: Limits { rows_max, ..Limits::default() }, ..options() };
        for (asked, given) in [(rows_max - 1, rows_max - 1), (rows_max, rows_max), (rows_max + 1, rows_max)] {
            let answer = run(&format!("range x from 1 to {asked} step 1"), &world(), &options).unwrap();
            let last = answer.table().rows().last().and_then(|mut row| row.next()).map(|cell| cell.to_string());
            assert_eq!(answer.table().len(), given, "{asked} with {rows_max}");
            assert_eq!(last, (given > 0).then(|| given.to_string()), "{asked} with {rows_max}");
        }
    }
}
