//! Numbers, dates and addresses as Java writes them.

use crate::server::Summary;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A mean, rounded to four decimals (ZK: `AvgMinMaxCounter.getAvg`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mean(u128);

impl Mean {
    const SCALE: u128 = 10_000;

    /// The mean of a number of values, 0 if there are none.
    pub(super) fn new(sum: u64, count: u64) -> Self {
        let (sum, count) = (u128::from(sum), u128::from(count));
        Self((2 * sum * Self::SCALE + count).checked_div(2 * count).unwrap_or(0))
    }

    /// The mean of what was counted.
    pub(super) fn of(summary: &Summary) -> Self {
        Self::new(summary.sum, summary.count)
    }
}

impl fmt::Display for Mean {
    /// At least one decimal and no more than it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:04}", self.0 % Self::SCALE);
        let decimals = decimals.trim_end_matches('0');
        let decimals = if decimals.is_empty() { "0" } else { decimals };
        write!(f, "{}.{decimals}", self.0 / Self::SCALE)
    }
}

/// A remote address: an IPv6 address in full and in brackets.
pub(super) struct Remote(pub(super) SocketAddr);

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.ip() {
            IpAddr::V4(ip) => write!(f, "/{ip}:{}", self.0.port()),
            IpAddr::V6(ip) => {
                let groups = ip.segments().map(|group| format!("{group:x}")).join(":");
                write!(f, "/[{groups}]:{}", self.0.port())
            }
        }
    }
}

/// A time in milliseconds since the Unix epoch, as `java.util.Date` shows it in UTC.
pub(super) struct Date(pub(super) i64);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_ERA: i64 = 146_097;

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        let (days, second) =
            (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        let (year, month, day) = civil(days);
        let weekday = usize::try_from(days.rem_euclid(7)).map_or("", |index| DAYS[index]);
        let month = usize::try_from(month).map_or("", |index| MONTHS[index]);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
    }
}

/// Year, month from 0 and day from 1 of a day since the Unix epoch. Years begin in March here, so
/// that the leap day is the last of a year; an era is the 400 years after which all repeats.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_PER_ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12;
    (era * 400 + year + i64::from(month < 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_rounded_to_four_decimals() {
        let table = [
            ((0, 0), "0.0"),
            ((3, 1), "3.0"),
            ((25, 12), "2.0833"),
            ((2, 3), "0.6667"),
            ((299, 200), "1.495"),
            ((1, 32), "0.0313"),
            ((1, 20_001), "0.0"),
            ((1_000_000, 7), "142857.1429"),
        ];
        for ((sum, count), expected) in table {
            assert_eq!(Mean::new(sum, count).to_string(), expected);
        }
    }

    #[test]
    fn addresses_have_a_slash_and_full_groups() {
        let table =
            [("127.0.0.1:56508", "/127.0.0.1:56508"), ("[::1]:80", "/[0:0:0:0:0:0:0:1]:80")];
        for (address, expected) in table {
            let address = address.parse().expect("an address");
            assert_eq!(Remote(address).to_string(), expected);
        }
    }

    #[test]
    fn dates_are_those_of_java() {
        let table = [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (1_795_613_146_999, "Wed Nov 25 13:25:46 UTC 2026"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
        ];
        for (wall, expected) in table {
            assert_eq!(Date(wall).to_string(), expected);
        }
    }
}
