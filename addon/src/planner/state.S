/* Place for an engine that has read the planner's bundle: zeros, until tools/state.mjs puts there what this very program made. */
    .section .planner_state, "a"
    .balign 64
    .global sing_planner_state
sing_planner_state:
    .zero PLANNER_STATE_BYTES
    .global sing_planner_state_end
sing_planner_state_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
