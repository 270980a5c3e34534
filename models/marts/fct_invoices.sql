select
  invoices.invoice_id,
  invoices.client_id,
  invoices.invoice_number,
  invoices.state,
  invoices.currency,
  invoices.issue_date,
  invoices.due_date,
  invoices.sent_on,
  invoices.paid_on,
  invoices.period_start,
  invoices.period_end,
  invoices.amount,
  invoices.tax_amount,
  invoices.discount_amount,
  invoices.amount - invoices.tax_amount as amount_before_tax,
  invoices.due_amount,
  {{ harvest.in_account_currency('invoices.amount') }} as amount_account,
  {{ harvest.in_account_currency('invoices.due_amount') }} as due_amount_account
from {{ ref('stg_harvest__invoices') }} as invoices
left join {{ ref('int_harvest__exchange_rates') }} as rates
  on rates.currency = invoices.currency
  and rates.valid_from <= invoices.issue_date
  and (rates.valid_until is null or invoices.issue_date < rates.valid_until)
