(component
  ;; Asks for what nobody has.
  (import "airlock:guest/keys@0.1.0" (instance)))
