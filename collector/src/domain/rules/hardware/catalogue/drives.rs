//! Drives of any kind, and the links to them.

use super::Rule;

/// By name.
pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "drive-attribute-failed-once",
        about: "drive",
        says: "an attribute was at its threshold once and is not now",
        judged_by: "smartctl calls an attribute that is no temperature failed in the past",
        source: "the maker's threshold in the drive",
        severity: "info, told only: opens nothing",
        remedy: "nothing is to be done",
    },
    Rule {
        name: "drive-attribute-failing",
        about: "drive",
        says: "an attribute is at its threshold",
        judged_by: "smartctl calls an attribute failing now: its normalised value is at or below its threshold, and \
            not all such attributes are wear, nor all temperature",
        source: "the maker's threshold in the drive",
        severity: "critical for an attribute whose failing means that the drive fails (pre-fail), else warning",
        remedy: "back up what is on it now and replace it; where the attribute is none of failure, in the next \
            maintenance window",
    },
    Rule {
        name: "drive-command-timeouts",
        about: "drive",
        says: "commands were not answered in time; the count never goes back",
        judged_by: "lowest 16 bits of attribute 188 above 0",
        source: "smartmontools (raw16): Seagate packs three counters of 16 bits in one; power, cable or controller \
            are as likely as the drive",
        severity: "info, told only: opens nothing",
        remedy: "if it grows, look at power supply, cable and controller first",
    },
    Rule {
        name: "drive-defects-growing",
        about: "drive",
        says: "its count of bad sectors grew within a week",
        judged_by: "attribute 5 or 197 grew by 20 or more in 7 days, on a rotating drive",
        source: "between the limits that two halves of Backblaze's days of April and May 2013 give, 16 and 24, where \
            they may flag 1.1 % of the drives that survive",
        severity: "warning",
        remedy: "back up what is on it now and replace it",
    },
    Rule {
        name: "drive-end-to-end-errors",
        about: "drive",
        says: "data changed on its way through the drive",
        judged_by: "attribute 184 above 0, on a rotating drive",
        source: "no count: Muster's own choice; the maker's own threshold is judged by drive-attribute-failing",
        severity: "info",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows",
    },
    Rule {
        name: "drive-error-log",
        about: "drive",
        says: "the drive has logged errors of commands",
        judged_by: "1 or more entries in its error log",
        source: "refused commands and errors of the link say nothing of the medium; of 4 875 NVMe drives with \
            entries 4 827 have no media error (linuxhw)",
        severity: "info; opens nothing where all that the log still shows are refused commands and errors of the \
            link",
        remedy: "look at the drive's other counts",
    },
    Rule {
        name: "drive-failed-self-verdict",
        about: "drive",
        says: "the drive says that it has failed or is about to",
        judged_by: "its overall health is FAILED, and not because of wear or temperature alone",
        source: "what the device declares of itself (ATA SMART RETURN STATUS, or the informational exceptions of \
            SCSI)",
        severity: "critical",
        remedy: "back up what is on it now and replace it",
    },
    Rule {
        name: "drive-few-bad-sectors",
        about: "drive",
        says: "it has bad sectors; their number has hardly grown lately",
        judged_by: "attributes 5 and 197 together above 0, and no rule of days fires; `hardware replay` only",
        source: "Backblaze, April and May 2013: of drives that merely had some one in 26 failed within 40 days",
        severity: "info",
        remedy: "watch whether the count grows",
    },
    Rule {
        name: "drive-few-reallocated-sectors",
        about: "drive",
        says: "few sectors were replaced",
        judged_by: "attribute 5 from 1 to 9 on a rotating drive, from 1 to 99 on flash",
        source: "Scrutiny's buckets of Backblaze's drives: below 17 the yearly failure rate stays under 8 %; for \
            flash no count: Muster's own choice",
        severity: "info",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows",
    },
    Rule {
        name: "drive-helium",
        about: "drive",
        says: "it loses helium",
        judged_by: "normalised value of attribute 22 below 100",
        source: "100 is the level of a drive that is tight",
        severity: "info",
        remedy: "watch whether it falls on",
    },
    Rule {
        name: "drive-implausible-value",
        about: "drive",
        says: "a number that can be no count of sectors; it is not judged",
        judged_by: "raw value of attribute 5, 187, 197 or 198 of 2^24 (16 777 216) or more",
        source: "2^24 sectors of 512 bytes are 8 GiB, far beyond any drive's spare area: such a value packs several \
            numbers in one",
        severity: "info",
        remedy: "nothing is to be done",
    },
    Rule {
        name: "drive-many-reallocated-sectors",
        about: "drive",
        says: "very many of its sectors were replaced",
        judged_by: "attribute 5 of 1 000 or more; `hardware replay` only",
        source: "lower of the limits that two halves of Backblaze's days of April and May 2013 give, 1 000 and 2 \
            000; beyond it more than every second drive fails within a year (Scrutiny's buckets)",
        severity: "warning",
        remedy: "back up what is on it now and replace it",
    },
    Rule {
        name: "drive-offline-uncorrectable",
        about: "drive",
        says: "sectors could not be read when the drive looked by itself",
        judged_by: "attribute 198 above 0",
        source: "Scrutiny's buckets of Backblaze's drives: 81 % a year with 1 or 2 of them",
        severity: "info; warning where one other sign or a failed self-test stands beside it",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows; with another sign, back \
            up what is on it now and replace it",
    },
    Rule {
        name: "drive-pending-and-reallocated",
        about: "drive",
        says: "sectors wait to be written again beside others that were replaced",
        judged_by: "attribute 197 of 8 or more and attribute 5 of 10 or more; `hardware replay` only",
        source: "between the limits that two halves of Backblaze's days of April and May 2013 give for the sectors \
            that wait, 4 and 16",
        severity: "warning",
        remedy: "back up what is on it now and replace it",
    },
    Rule {
        name: "drive-pending-sectors",
        about: "drive",
        says: "sectors could not be read and wait to be written again",
        judged_by: "attribute 197, or Pending Error Count of the drive's statistics, above 0; 10 or more are enough \
            alone",
        source: "Backblaze, April and May 2013: of 633 drives with some 7.9 % failed within 40 days, of 194 with 10 \
            or more 14.4 %, of 207 that had also replaced sectors 18.4 %",
        severity: "info; warning where one other sign or a failed self-test stands beside it, or 10 or more sectors \
            wait",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows; with another sign, back \
            up what is on it now and replace it",
    },
    Rule {
        name: "drive-reallocated-sectors",
        about: "drive",
        says: "sectors were replaced by spare ones",
        judged_by: "attribute 5 of 10 or more on a rotating drive, of 100 or more on flash",
        source: "Scrutiny's buckets of Backblaze's drives: below 17 the yearly failure rate stays under 8 %, and \
            with another sign ten are enough; Backblaze, April and May 2013: of 451 drives with 100 or more 12.2 % \
            failed within 40 days; for flash no count: Muster's own choice",
        severity: "info; warning where one other sign or a failed self-test stands beside it",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows; with another sign, back \
            up what is on it now and replace it",
    },
    Rule {
        name: "drive-reallocation-events",
        about: "drive",
        says: "sectors were replaced or tried to be",
        judged_by: "attribute 196 above 0 while attribute 5 is 0, on a rotating drive",
        source: "no count: Muster's own choice",
        severity: "info",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows",
    },
    Rule {
        name: "drive-reported-uncorrectable",
        about: "drive",
        says: "reads have failed for the host",
        judged_by: "attribute 187, or Number of Reported Uncorrectable Errors of the drive's statistics, above 0",
        source: "Scrutiny's buckets of Backblaze's drives: 34 % a year with one",
        severity: "info; warning where one other sign or a failed self-test stands beside it",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows; with another sign, back \
            up what is on it now and replace it",
    },
    Rule {
        name: "drive-self-test-failed",
        about: "drive",
        says: "the drive's own test of itself failed",
        judged_by: "the last self-test that ended failed, and none that read everything passed after it",
        source: "what the device declares of itself; 100 of 30 590 rotating drives say PASSED beside such a test \
            (linuxhw)",
        severity: "warning",
        remedy: "back up what is on it now and replace it",
    },
    Rule {
        name: "drive-self-test-failed-once",
        about: "drive",
        says: "a self-test failed once, and one that read everything has passed since",
        judged_by: "a failed self-test with a later extended one that passed",
        source: "what the device declares of itself",
        severity: "info, told only: opens nothing",
        remedy: "nothing is to be done",
    },
    Rule {
        name: "drive-spin-retries",
        about: "drive",
        says: "the motor did not start at once: weak power supply, or the drive",
        judged_by: "attribute 10 from 1 to 255, on a rotating drive",
        source: "Scrutiny's buckets of Backblaze's drives: 56 % a year; ten of 30 525 healthy drives have any \
            (linuxhw). More than a byte of them is no count",
        severity: "info",
        remedy: "run a long self-test (smartctl -t long) and watch whether the count grows",
    },
    Rule {
        name: "drive-too-hot",
        about: "drive",
        says: "it is hotter than it may be",
        judged_by: "only attributes of temperature are at their threshold now",
        source: "the maker's threshold in the drive",
        severity: "warning",
        remedy: "mend the airflow; heat alone is no failure",
    },
    Rule {
        name: "drive-was-too-hot",
        about: "drive",
        says: "it was hotter than it may be, once",
        judged_by: "an attribute of temperature is called failed in the past",
        source: "the maker's threshold in the drive; 767 of 66 776 drives are that and nothing else (linuxhw)",
        severity: "info, told only: opens nothing",
        remedy: "nothing is to be done",
    },
    Rule {
        name: "drive-wear",
        about: "drive",
        says: "its rated life is nearly or wholly used up; that is its warranty, not a failure",
        judged_by: "Percentage Used Endurance Indicator of 90 to 255 %, or an attribute of wear with 10 or less left \
            (normalised, 1 to 10; 230 is passed over, it counts up on some)",
        source: "100 % is what the maker warrants; how early to order is no count: Muster's own choice",
        severity: "info",
        remedy: "order a replacement and change it in the next maintenance window; keep backups current",
    },
    Rule {
        name: "drive-worn-out",
        about: "drive",
        says: "its rated life is used up; it may go on for long, or turn read-only",
        judged_by: "only attributes of wear are at their threshold now; of SCSI drives percentage used from 100 to \
            255 %",
        source: "the maker's threshold in the drive; 100 % is what the maker warrants",
        severity: "warning",
        remedy: "order a replacement and change it in the next maintenance window; keep backups current",
    },
    Rule {
        name: "link-crc-errors",
        about: "link of a drive",
        says: "transfers between drive and controller were corrupted once; the count never goes back",
        judged_by: "attribute 199 above 0",
        source: "only growth says more: cable, port or backplane, never the drive",
        severity: "info, told only: opens nothing",
        remedy: "if it grows, reseat or replace the cable; the drive is not to blame",
    },
    Rule {
        name: "link-crc-errors-growing",
        about: "link of a drive",
        says: "transfers between drive and controller were corrupted within the last week",
        judged_by: "attribute 199 grew by 10 or more in 7 days",
        source: "a link that is well has none, and one accident of plugging makes a few; the limit is no count: \
            Muster's own choice",
        severity: "warning",
        remedy: "reseat or replace the cable, then try another port; the drive is not to blame",
    },
];
