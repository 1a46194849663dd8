//! Units of measure: each is worth so many of its family's base unit.

use super::{Function, Kind, Returns, string::text};
use crate::{
    types::Type,
    value::{Cell, Value},
};

use Kind::{Real, Str};

const REAL: Returns = Returns::Is(Type::Real);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("convert_angle", &[Real, Str, Str], REAL, |_, cells| convert(cells, ANGLES)),
    Function::cells("convert_energy", &[Real, Str, Str], REAL, |_, cells| convert(cells, ENERGIES)),
    Function::cells("convert_force", &[Real, Str, Str], REAL, |_, cells| convert(cells, FORCES)),
    Function::cells("convert_length", &[Real, Str, Str], REAL, |_, cells| convert(cells, LENGTHS)),
    Function::cells("convert_mass", &[Real, Str, Str], REAL, |_, cells| convert(cells, MASSES)),
    Function::cells("convert_speed", &[Real, Str, Str], REAL, |_, cells| convert(cells, SPEEDS)),
    Function::cells("convert_temperature", &[Real, Str, Str], REAL, |_, cells| temperature(cells)),
    Function::cells("convert_volume", &[Real, Str, Str], REAL, |_, cells| convert(cells, VOLUMES)),
];

type Units = &'static [(&'static str, f64)];

fn convert(cells: &[Cell<'_>], units: Units) -> Value {
    let factor = |name: &str| units.iter().find(|(unit, _)| *unit == name).map(|(_, factor)| *factor);
    match (cells[0].as_f64(), factor(text(cells, 1)), factor(text(cells, 2))) {
        (Some(value), Some(from), Some(to)) => Value::Real(value * from / to),
        _ => Value::Null,
    }
}

fn temperature(cells: &[Cell<'_>]) -> Value {
    let Some(value) = cells[0].as_f64() else { return Value::Null };
    let kelvin = match text(cells, 1) {
        "Kelvin" => value,
        "DegreeCelsius" => value + 273.15,
        "DegreeFahrenheit" => (value + 459.67) * 5.0 / 9.0,
        "DegreeRankine" => value * 5.0 / 9.0,
        _ => return Value::Null,
    };
    Value::Real(match text(cells, 2) {
        "Kelvin" => kelvin,
        "DegreeCelsius" => kelvin - 273.15,
        "DegreeFahrenheit" => kelvin * 9.0 / 5.0 - 459.67,
        "DegreeRankine" => kelvin * 9.0 / 5.0,
        _ => return Value::Null,
    })
}

const ANGLES: Units = &[
    ("Arcminute", 1.0 / 60.0),
    ("Arcsecond", 1.0 / 3600.0),
    ("Centiradian", 0.572_957_795_130_823_2),
    ("Deciradian", 5.729_577_951_308_232),
    ("Degree", 1.0),
    ("Gradian", 0.9),
    ("Microdegree", 1e-6),
    ("Milliradian", 0.057_295_779_513_082_32),
    ("Radian", 57.295_779_513_082_32),
    ("Revolution", 360.0),
];

const ENERGIES: Units = &[
    ("BritishThermalUnit", 1_055.055_852_62),
    ("Calorie", 4.184),
    ("ElectronVolt", 1.602_176_634e-19),
    ("Erg", 1e-7),
    ("FootPound", 1.355_817_948_331_400_4),
    ("GigawattHour", 3.6e12),
    ("Joule", 1.0),
    ("Kilocalorie", 4184.0),
    ("Kilojoule", 1e3),
    ("KilowattHour", 3.6e6),
    ("Megajoule", 1e6),
    ("MegawattHour", 3.6e9),
    ("Millijoule", 1e-3),
    ("WattHour", 3600.0),
];

const FORCES: Units = &[
    ("Decanewton", 10.0),
    ("Dyn", 1e-5),
    ("KilogramForce", 9.806_65),
    ("Kilonewton", 1e3),
    ("Meganewton", 1e6),
    ("Micronewton", 1e-6),
    ("Millinewton", 1e-3),
    ("Newton", 1.0),
    ("OunceForce", 0.278_013_850_953_781_2),
    ("PoundForce", 4.448_221_615_260_5),
    ("TonneForce", 9806.65),
];

const LENGTHS: Units = &[
    ("Angstrom", 1e-10),
    ("AstronomicalUnit", 1.495_978_707e11),
    ("Centimeter", 1e-2),
    ("Decimeter", 1e-1),
    ("Foot", 0.3048),
    ("Inch", 0.0254),
    ("Kilometer", 1e3),
    ("LightYear", 9.460_730_472_580_8e15),
    ("Meter", 1.0),
    ("Micrometer", 1e-6),
    ("Mile", 1609.344),
    ("Millimeter", 1e-3),
    ("Nanometer", 1e-9),
    ("NauticalMile", 1852.0),
    ("Parsec", 3.085_677_581_28e16),
    ("Yard", 0.9144),
];

const MASSES: Units = &[
    ("Centigram", 1e-5),
    ("Decigram", 1e-4),
    ("Grain", 6.479_891e-5),
    ("Gram", 1e-3),
    ("Kilogram", 1.0),
    ("LongTon", 1_016.046_908_8),
    ("Microgram", 1e-9),
    ("Milligram", 1e-6),
    ("Ounce", 0.028_349_523_125),
    ("Pound", 0.453_592_37),
    ("ShortTon", 907.184_74),
    ("Stone", 6.350_293_18),
    ("Tonne", 1e3),
];

const SPEEDS: Units = &[
    ("CentimeterPerHour", 1e-2 / 3600.0),
    ("CentimeterPerMinute", 1e-2 / 60.0),
    ("CentimeterPerSecond", 1e-2),
    ("FootPerHour", 0.3048 / 3600.0),
    ("FootPerMinute", 0.3048 / 60.0),
    ("FootPerSecond", 0.3048),
    ("InchPerHour", 0.0254 / 3600.0),
    ("InchPerMinute", 0.0254 / 60.0),
    ("InchPerSecond", 0.0254),
    ("KilometerPerHour", 1e3 / 3600.0),
    ("KilometerPerMinute", 1e3 / 60.0),
    ("KilometerPerSecond", 1e3),
    ("Knot", 1852.0 / 3600.0),
    ("Mach", 340.29),
    ("MeterPerHour", 1.0 / 3600.0),
    ("MeterPerMinute", 1.0 / 60.0),
    ("MeterPerSecond", 1.0),
    ("MilePerHour", 0.447_04),
    ("MillimeterPerSecond", 1e-3),
    ("YardPerSecond", 0.9144),
];

const VOLUMES: Units = &[
    ("AcreFoot", 1_233.481_84),
    ("Centiliter", 1e-5),
    ("CubicCentimeter", 1e-6),
    ("CubicDecimeter", 1e-3),
    ("CubicFoot", 0.028_316_846_592),
    ("CubicInch", 1.638_706_4e-5),
    ("CubicKilometer", 1e9),
    ("CubicMeter", 1.0),
    ("CubicMile", 4_168_181_825.440_58),
    ("CubicMillimeter", 1e-9),
    ("CubicYard", 0.764_554_857_984),
    ("Deciliter", 1e-4),
    ("Hectoliter", 0.1),
    ("ImperialGallon", 0.004_546_09),
    ("Liter", 1e-3),
    ("Milliliter", 1e-6),
    ("OilBarrel", 0.158_987_294_928),
    ("UsGallon", 0.003_785_411_784),
    ("UsOunce", 2.957_352_956_25e-5),
    ("UsPint", 4.731_764_73e-4),
    ("UsQuart", 9.463_529_46e-4),
];
