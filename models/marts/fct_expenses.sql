with expenses as (
  select
    expenses.expense_id,
    expenses.spent_date,
    expenses.user_id,
    expenses.client_id,
    expenses.project_id,
    expenses.category_name,
    expenses.invoice_id,
    coalesce(clients.currency, projects.currency, expenses.currency) as currency,
    expenses.amount,
    expenses.is_billable,
    case when expenses.is_billable then expenses.amount else 0 end as billable_amount,
    case
      when expenses.is_billable and not coalesce(projects.is_fixed_fee, false) then expenses.amount
      else 0
    end as revenue,
    coalesce(projects.is_fixed_fee, false) as is_fixed_fee,
    expenses.is_approved,
    expenses.is_invoiced
  from {{ ref('stg_harvest__expenses') }} as expenses
  left join {{ ref('stg_harvest__projects') }} as projects
    on projects.project_id = expenses.project_id
  left join {{ ref('stg_harvest__clients') }} as clients
    on clients.client_id = expenses.client_id
)

select
  expenses.*,
  {{ harvest.in_account_currency('expenses.amount') }} as amount_account,
  {{ harvest.in_account_currency('expenses.revenue') }} as revenue_account
from expenses
left join {{ ref('int_harvest__exchange_rates') }} as rates
  on rates.currency = expenses.currency
  and rates.valid_from <= expenses.spent_date
  and (rates.valid_until is null or expenses.spent_date < rates.valid_until)
