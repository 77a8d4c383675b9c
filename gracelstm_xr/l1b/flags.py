"""Meanings of the quality bits, per product (JPL struct header, 2008-03-20)."""

from __future__ import annotations

from gracelstm_xr.l1b.model import Flags

__all__ = ["GRACE_FLAGS", "GRACE_FO_FLAGS", "bits"]


def bits(**meanings: str) -> Flags:
    """Pairs (mask, meaning) from ``b0="...", b5="..."``."""
    found = [(1 << int(key[1:]), text) for key, text in meanings.items()]
    return tuple(sorted(found))


_CLOCK = {
    "b3": "clock_extrapolated_5_to_15_s_from_filter_centre",
    "b4": "clock_extrapolated_within_5_s_of_filter_centre",
}
_ACC = bits(
    b0="proof_mass_voltage_off_nominal",
    b1="unused",
    b2="linear_residual_above_10_um_s-2",
    b5="gap_filled_sample_beyond_15_s_of_filter_centre",
    b6="gap_filled_sample_5_to_15_s_from_filter_centre",
    b7="gap_filled_sample_within_5_s_of_filter_centre",
    **_CLOCK,
)
_GNV = bits(
    b2="overlap_data_missing_before_start_midnight",
    b3="overlap_data_missing_after_start_midnight",
    b4="overlap_data_missing_before_end_midnight",
    b5="overlap_data_missing_after_end_midnight",
    b7="formal_errors_unavailable",
)
_SCA = bits(
    b0="filled_at_this_epoch",
    b1="filled_within_1_s",
    b2="filled_within_2_s",
    b3="single_camera",
    b4="clock_extrapolated",
    b6="low_rate_data_from_second_camera",
    b7="low_rate_data_from_first_camera",
)
_KBR = bits(
    b0="phase_break",
    b1="unreliable_antenna_offset_data",
    b2="interpolated_antenna_offset_data",
    b3="clock_extrapolated_beyond_5_s",
    b4="clock_extrapolated_within_5_s",
    b5="phase_time_tag_bias_corrected",
    b6="filled_sample_beyond_5_s_of_filter_centre",
    b7="filled_sample_within_5_s_of_filter_centre",
)
_THR = bits(
    b0="on_time_not_computed",
    b1="unaccounted_firings_before_record",
    b6="no_obdh_mapping",
    b7="no_clock_correction",
)
_TAGGED = {
    "b0": "elapsed_time_instead_of_receiver_time",
    "b1": "no_pulse_synchronisation",
    "b6": "no_obdh_mapping",
    "b7": "no_clock_correction",
}
_HOUSEKEEPING = bits(**_TAGGED)
_AHK = bits(
    b2="redundant_icu_board",
    b3="invalid_timing",
    b4="large_range_mode",
    b5="time_packet_received",
    **_TAGGED,
)
_SEGMENT = {
    "b0": "extrapolation_after_tag_not_valid",
    "b1": "extrapolation_before_tag_not_valid",
}
_CLK = bits(
    b2="overlap_data_missing_before_start_midnight",
    b3="overlap_data_missing_after_start_midnight",
    b4="overlap_data_missing_before_end_midnight",
    b5="overlap_data_missing_after_end_midnight",
    **_SEGMENT,
)
_TIM = bits(
    b0="step_not_1_s",
    b1="several_blocks",
    b2="synchronisation_started",
    b3="mapping_undefined",
    b4="antenna_state_packet_missed",
    b5="timing_flag_set_in_a_block",
    b6="mapping_not_computable",
)
_GPS = bits(
    b0="phase_break_L1",
    b1="phase_break_L2",
    b2="cycle_slip_L1",
    b3="cycle_slip_L2",
    b4="SNR_L1_below_5",
    b5="SNR_L2_below_5",
    b6="SNR_K_below_450",
    b7="SNR_Ka_below_450",
)
_VECTOR = bits(b0="L1_phase_centre", b1="L2_phase_centre")

GRACE_FLAGS: dict[str, Flags] = {
    "acc": _ACC,
    "gnv": _GNV,
    "sca": _SCA,
    "kbr": _KBR,
    "thr": _THR,
    "mag": _HOUSEKEEPING,
    "tnk": _HOUSEKEEPING,
    "mas": _HOUSEKEEPING,
    "ihk": _HOUSEKEEPING,
    "ahk": _AHK,
    "clk": _CLK,
    "uso": bits(**_SEGMENT),
    "tim": _TIM,
    "gps": _GPS,
    "vector": _VECTOR,
}
"""GRACE meanings by family; bits not listed are unused."""

GRACE_FO_FLAGS: dict[str, Flags] = {
    **GRACE_FLAGS,
    "kbr": tuple(pair for pair in _KBR if pair[0] not in (8, 16)),
}
"""GRACE-FO defaults; the YAML header of a file, where present, goes first."""
