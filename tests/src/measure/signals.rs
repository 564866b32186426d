//! Twenty readings of a simulated server, minute by minute: what its trends are made of.

use muster_collector::domain::trend::{Minutes, Series};

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// A simulated server. Nine of its readings jitter all the time, three wander, eight stand still or move in steps.
#[derive(Debug)]
pub struct Signals {
    /// Number of its host.
    pub host: i64,
    random: Random,
    /// Slow moods: how busy it is beside the time of day, network, and disks.
    moods: [f64; 4],
    memory: f64,
    free: [f64; 5],
    temperature: f64,
    series: Vec<Series>,
}

impl Signals {
    /// Those of a host, the same in every run.
    ///
    /// # Panics
    /// When a reading is none any more.
    #[must_use]
    pub fn of(host: i64) -> Self {
        let names = [
            ("cpu_busy_ratio", ""),
            ("load1", ""),
            ("memory_available_bytes", ""),
            ("swap_free_bytes", ""),
            ("processes_blocked", ""),
            ("network_receive_bytes_per_second", ""),
            ("network_transmit_bytes_per_second", ""),
            ("disk_busy_ratio", "sda"),
            ("disk_busy_ratio", "sdb"),
            ("disk_await_seconds", "sda"),
            ("disk_await_seconds", "sdb"),
            ("filesystem_avail_bytes", "/"),
            ("filesystem_avail_bytes", "/boot"),
            ("filesystem_avail_bytes", "/home"),
            ("filesystem_avail_bytes", "/var"),
            ("filesystem_avail_bytes", "/srv"),
            ("temperature_celsius", "coretemp"),
            ("temperature_celsius", "nvme"),
            ("temperature_celsius", "acpitz"),
            ("battery_charge_ratio", "BAT0"),
        ];
        let series = names.iter().map(|(name, part)| Series::new(name, part).expect("a reading of the list")).collect();
        let random = Random(host.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let free = [12e9, 0.3e9, 200e9, 80e9, 1.5e12];
        Self { host, random, moods: [0.0; 4], memory: 20e9, free, temperature: 45.0, series }
    }

    /// The hour that begins with this minute.
    #[must_use]
    pub fn hour(&mut self, from: i64) -> Minutes {
        let mut row = Minutes::new(from);
        let series = self.series.clone();
        for minute in from..from + 60 {
            for (series, value) in series.iter().zip(self.minute(minute)) {
                row.set(minute, series, value);
            }
        }
        row
    }

    fn minute(&mut self, minute: i64) -> [f64; 20] {
        let day = (((minute + self.host * 7) % DAY) as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        for mood in &mut self.moods {
            *mood = *mood * 0.97 + 0.08 * self.random.normal();
        }
        let [work, network, disk, _] = self.moods;
        let busy = (0.18 + 0.10 * day) * (work + 0.12 * self.random.normal()).exp();
        let received = 4e5 * (1.5 + day) * (network + 0.25 * self.random.normal()).exp();
        let sent = received * 1.8 * (0.2 * self.random.normal()).exp();
        let operations = 0.06 * (1.5 + day) * (disk + 0.2 * self.random.normal()).exp();
        let wait = 0.004 * (0.2 * disk + 0.2 * self.random.normal()).exp();
        self.memory = (self.memory * (1.0 + 0.002 * self.random.normal()) * 0.999 + 20e6).max(1e9);
        self.free[0] -= 15e3 * (1.0 + self.random.normal()).max(0.0);
        self.free[3] -= 400e3 * (1.0 + day) * (0.5 * self.random.normal()).exp();
        if minute % DAY == 6 * 60 {
            // The logs are rotated and compressed.
            self.free[3] = 80e9;
        }
        if self.random.uniform() < 0.01 {
            self.free[2] -= 2e9 * self.random.normal();
        }
        self.temperature = self.temperature * 0.98 + 0.02 * (38.0 + 40.0 * busy) + 0.2 * self.random.normal();
        let [root, boot, home, var, srv] = self.free;
        [
            busy.min(1.0),
            busy * 8.0 * (0.15 * self.random.normal()).exp(),
            self.memory,
            4e9,
            if self.random.uniform() < 0.05 { 1.0 } else { 0.0 },
            received,
            sent,
            operations.min(1.0),
            (operations * 0.2 * (0.3 * self.random.normal()).exp()).min(1.0),
            wait,
            wait * 2.0 * (0.3 * self.random.normal()).exp(),
            root,
            boot,
            home,
            var,
            srv,
            self.temperature.round(),
            (self.temperature * 0.3 + 25.0).round(),
            27.8,
            1.0,
        ]
    }
}

/// Numbers by chance, the same in every run (xorshift64*).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
