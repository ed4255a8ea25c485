;; Runs its app forty times, and believes no refusal.
  (import "airlock:guest/dify@0.1.0" "run-app" (func $run (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (local $n i32)
    (loop $again
      (call $run (i32.const 1088) (i32.const 2) (i32.const 1) (i32.const 1104) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1088) (i32.const 2) (i32.const 4096))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 40))))
    (i32.const 2432))
