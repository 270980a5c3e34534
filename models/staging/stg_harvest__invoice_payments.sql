select
  id as payment_id,
  invoice_id,
  coalesce(amount, 0) as amount,
  coalesce(paid_date, {{ harvest.day_of('paid_at') }}) as paid_on
from {{ harvest.harvest_table('invoice_payments') }}
where deleted_at is null
