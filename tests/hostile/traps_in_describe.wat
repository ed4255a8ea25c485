;; Traps when it is asked what it offers.
  (func (export "airlock:guest/tools@0.1.0#describe")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (unreachable))
